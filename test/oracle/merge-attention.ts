/** Oracle of `mergeAttention`: the parts of a row's attention, put on one scale and divided. */
import type { MergeAttentionParams } from '../../kernels/attention/merge-attention.ts';

export interface MergeAttentionInputs {
  readonly sums: ArrayLike<number>;
  readonly peaks: ArrayLike<number>;
  readonly rowTable: ArrayLike<number>;
}

/** NaN in the rows that stand past the cache. */
export function mergeAttention(
  { rows, nHead, headDim, positions, split }: MergeAttentionParams,
  { sums, peaks, rowTable }: MergeAttentionInputs,
): Float64Array {
  const columns = Math.ceil(positions / split);
  const parts = Math.ceil(positions / columns);
  const out = new Float64Array(rows * nHead * headDim).fill(Number.NaN);
  for (let pair = 0; pair < rows * nHead; pair++) {
    const position = rowTable[4 * Math.floor(pair / nHead) + 1]!;
    if (position >= positions) continue;
    const units = Array.from(
      { length: Math.floor(position / columns) + 1 },
      (_, s) => pair * parts + s,
    );
    const top = Math.max(...units.map((unit) => peaks[2 * unit]!));
    const scales = units.map((unit) => Math.exp(peaks[2 * unit]! - top));
    const weight = units.reduce((sum, unit, s) => sum + scales[s]! * peaks[2 * unit + 1]!, 0);
    for (let d = 0; d < headDim; d++) {
      const sum = units.reduce((v, unit, s) => v + scales[s]! * sums[unit * headDim + d]!, 0);
      out[pair * headDim + d] = sum / weight;
    }
  }
  return out;
}
