/** Which tensors of a T5 checkpoint its encoder is made of, by the names of Hugging Face transformers. */
import type { WantedTensor } from '../weights/join.ts';
import { T5_TABLES } from './t5.ts';
import type { T5Config } from './t5-config.ts';

const [SHARED, ENCODER_TABLE] = T5_TABLES;

/** The tensors of the encoder among those of a whole T5, the embedding of tokens once. */
export function t5EncoderTensors(names: Iterable<string>): ReadonlySet<string> {
  const wanted = new Set(
    [...names].filter((name) => name === SHARED || name.startsWith('encoder.')),
  );
  if (wanted.has(SHARED)) wanted.delete(ENCODER_TABLE);
  return wanted;
}

/** Every weight of the layers, and the norm behind them; the embedding of tokens is beside them. */
export function t5LayerShapes(config: T5Config): WantedTensor[] {
  const { dim, nLayer, nHead, headDim, hiddenDim, buckets } = config;
  const inner = nHead * headDim;
  const layer = (i: number): WantedTensor[] => {
    const [attention, feedForward] = [0, 1].map((part) => `encoder.block.${i}.layer.${part}`);
    const product = (name: string, shape: readonly number[]) => ({ name: `${name}.weight`, shape });
    return [
      product(`${attention}.layer_norm`, [dim]),
      ...['q', 'k', 'v'].map((name) => product(`${attention}.SelfAttention.${name}`, [inner, dim])),
      product(`${attention}.SelfAttention.o`, [dim, inner]),
      product(`${feedForward}.layer_norm`, [dim]),
      product(`${feedForward}.DenseReluDense.wi_0`, [hiddenDim, dim]),
      product(`${feedForward}.DenseReluDense.wi_1`, [hiddenDim, dim]),
      product(`${feedForward}.DenseReluDense.wo`, [dim, hiddenDim]),
    ];
  };
  return [
    {
      name: 'encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight',
      shape: [buckets, nHead],
    },
    ...Array.from({ length: nLayer }, (_, i) => layer(i)).flat(),
    { name: 'encoder.final_layer_norm.weight', shape: [dim] },
  ];
}
