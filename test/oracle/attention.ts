/** Oracle of `attention`: softmax(q k^T / sqrt(headDim)) v over the columns a row may see. */
import type { AttentionParams } from '../../kernels/attention/attention.ts';
import { kvIndex } from './rope.ts';

export interface AttentionInputs {
  readonly q: ArrayLike<number>;
  readonly kv: ArrayLike<number>;
  readonly rowTable: ArrayLike<number>;
  /** Given when `padded` is true. */
  readonly firsts?: ArrayLike<number>;
}

/** NaN in the rows that stand past the cache. */
export function attention(params: AttentionParams, inputs: AttentionInputs): Float64Array {
  const { rows, nHead, nKvHead, headDim, positions } = params;
  const { q, kv, rowTable, firsts } = inputs;
  const out = new Float64Array(rows * nHead * headDim).fill(Number.NaN);
  for (let r = 0; r < rows; r++) {
    const slot = rowTable[4 * r]!;
    const position = rowTable[4 * r + 1]!;
    if (position >= positions) continue;
    const columns = Array.from({ length: position + 1 }, (_, j) => j).filter(
      (j) => j === position || !firsts || j >= firsts[slot]!,
    );
    for (let h = 0; h < nHead; h++) {
      const kvHead = Math.floor(h / (nHead / nKvHead));
      const from = (r * nHead + h) * headDim;
      const scores = columns.map((j) => {
        const key = kvIndex(params, [0, slot, kvHead, j]);
        let score = 0;
        for (let d = 0; d < headDim; d++) score += q[from + d]! * kv[key + d]!;
        return score / Math.sqrt(headDim);
      });
      const weights = softmax(scores);
      for (let d = 0; d < headDim; d++) {
        let sum = 0;
        columns.forEach((j, n) => {
          sum += weights[n]! * kv[kvIndex(params, [1, slot, kvHead, j]) + d]!;
        });
        out[from + d] = sum;
      }
    }
  }
  return out;
}

export function softmax(values: readonly number[]): number[] {
  const peak = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const exps = values.map((v) => Math.exp(v - peak));
  const total = exps.reduce((a, b) => a + b, 0);
  return exps.map((e) => e / total);
}
