/** Oracle of the T5 v1.1 encoder over one prompt, layer by layer from the formulas. */
import { relativeBuckets, type T5Config } from '../../src/models/t5-config.ts';
import { geluMul } from './gelu-mul.ts';
import { linear } from './linear.ts';
import { promptAttention } from './prompt-attention.ts';
import { rmsNorm } from './rms-norm.ts';

/**
 * @param weight Values of a weight by its name.
 * @param rows Rows of the embedding table, one a token.
 */
export function t5(
  config: T5Config,
  weight: (name: string) => ArrayLike<number>,
  rows: readonly (readonly number[])[],
): Float64Array {
  const { dim, nLayer, nHead, headDim, hiddenDim, buckets, maxDistance, normEps: eps } = config;
  const count = rows.length;
  const inner = nHead * headDim;
  const norm = (x: ArrayLike<number>, gain: string): Float64Array =>
    rmsNorm({ rows: count, dim, eps }, { x, gain: weight(gain) });
  const times = (x: ArrayLike<number>, name: string, inDim: number, outDim: number) =>
    linear({ rows: count, inDim, outDim }, { x, weight: weight(name) });
  const plus = (x: ArrayLike<number>, y: ArrayLike<number>): Float64Array =>
    Float64Array.from(x, (v, i) => v + y[i]!);
  const bias = weight('encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight');
  const heads = { rows: count, nHead, headDim, buckets, reach: maxDistance };
  const places = rows.flatMap(() => [0, count]);
  let x: Float64Array = Float64Array.from(rows.flat());
  for (let layer = 0; layer < nLayer; layer++) {
    const block = `encoder.block.${layer}.layer`;
    const attending = norm(x, `${block}.0.layer_norm.weight`);
    const [q, k, v] = ['q', 'k', 'v'].map((name) =>
      times(attending, `${block}.0.SelfAttention.${name}.weight`, dim, inner),
    ) as [Float64Array, Float64Array, Float64Array];
    const bucketTable = relativeBuckets(config);
    const mixed = promptAttention(heads, { q, k, v, places, bucketTable, bias });
    x = plus(x, times(mixed, `${block}.0.SelfAttention.o.weight`, inner, dim));
    const feeding = norm(x, `${block}.1.layer_norm.weight`);
    const [gate, up] = ['wi_0', 'wi_1'].map((name) =>
      times(feeding, `${block}.1.DenseReluDense.${name}.weight`, dim, hiddenDim),
    ) as [Float64Array, Float64Array];
    x = plus(
      x,
      times(geluMul({ gate, up }), `${block}.1.DenseReluDense.wo.weight`, hiddenDim, dim),
    );
  }
  return norm(x, 'encoder.final_layer_norm.weight');
}
