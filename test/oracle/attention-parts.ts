/** Oracle of `attentionParts`: what each part of the columns adds to the attention of a row. */
import type { AttentionPartsParams } from '../../kernels/attention/attention-parts.ts';
import type { AttentionInputs } from './attention.ts';
import { kvIndex } from './rope.ts';

export interface AttentionPartsOutputs {
  /** [rows, nHead, parts, headDim]; NaN in parts that are not made. */
  readonly out: Float64Array;
  /** [rows, nHead, parts, 2]: peak and weight, likewise; the peak is NaN where all is masked. */
  readonly peaks: Float64Array;
}

/** `split` parts of ceil(positions / split) columns each; the last ones may be empty and are left out. */
export function attentionParts(
  params: AttentionPartsParams,
  { q, kv, rowTable, mask }: AttentionInputs,
): AttentionPartsOutputs {
  const { rows, nHead, nKvHead, headDim, positions, split } = params;
  const width = Math.ceil(positions / split);
  const parts = Math.ceil(positions / width);
  const out = new Float64Array(rows * nHead * parts * headDim).fill(Number.NaN);
  const peaks = new Float64Array(rows * nHead * parts * 2).fill(Number.NaN);
  for (let unit = 0; unit < rows * nHead * parts; unit++) {
    const part = unit % parts;
    const head = Math.floor(unit / parts) % nHead;
    const row = Math.floor(unit / (parts * nHead));
    const [slot, position] = [rowTable[4 * row]!, rowTable[4 * row + 1]!];
    if (position >= positions || part * width > position) continue;
    const kvHead = Math.floor(head / (nHead / nKvHead));
    const columns = Array.from({ length: width }, (_, j) => part * width + j).filter(
      (j) => j === position || (j < position && mask?.[slot * positions + j] !== 0),
    );
    const scores = columns.map((j) => {
      const key = kvIndex(params, [0, slot, kvHead, j]);
      let score = 0;
      for (let d = 0; d < headDim; d++)
        score += q[(row * nHead + head) * headDim + d]! * kv[key + d]!;
      return score / Math.sqrt(headDim);
    });
    const peak = scores.length > 0 ? Math.max(...scores) : Number.NaN;
    const weights = scores.map((score) => Math.exp(score - peak));
    peaks.set([peak, weights.reduce((a, b) => a + b, 0)], 2 * unit);
    for (let d = 0; d < headDim; d++) {
      let sum = 0;
      columns.forEach((j, n) => {
        sum += weights[n]! * kv[kvIndex(params, [1, slot, kvHead, j]) + d]!;
      });
      out[unit * headDim + d] = sum;
    }
  }
  return { out, peaks };
}
