/** Inputs of the kernels of attention over a cache. */
import type { AttentionParams } from '../../kernels/attention/attention.ts';
import { roundF16 } from './f16.ts';
import { scatteredRows } from './places.ts';
import { normal, uniform } from './random.ts';

/** As arrays of the kinds that kernels are given. */
export type AttentionData = {
  readonly q: Float32Array;
  readonly kv: Float32Array;
  readonly rowTable: Uint32Array;
  readonly firsts?: Uint32Array;
};

export function attentionData(params: AttentionParams): AttentionData {
  const { rows, nHead, nKvHead, headDim, slots, positions, padded, kvDtype } = params;
  const next = uniform(9);
  const kv = normal(2 * slots * nKvHead * positions * headDim, 2);
  return {
    // Large enough that some rows attend to one column almost alone.
    q: normal(rows * nHead * headDim, 1, 3),
    kv: kvDtype === 'f16' ? roundF16(kv) : kv,
    rowTable: scatteredRows(rows, slots, positions),
    ...(padded && {
      firsts: Uint32Array.from({ length: slots }, () => Math.floor(next() * positions)),
    }),
  };
}
