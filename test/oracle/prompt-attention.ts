/** Oracle of `promptAttention`: softmax(q k^T + bias) v over the rows of a prompt. */
import type { PromptAttentionParams } from '../../kernels/attention/prompt-attention.ts';
import { softmax } from './attention.ts';

export interface PromptAttentionInputs {
  readonly q: ArrayLike<number>;
  readonly k: ArrayLike<number>;
  readonly v: ArrayLike<number>;
  readonly places: ArrayLike<number>;
  readonly bucketTable: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
}

/** Zero in the rows of no prompt. */
export function promptAttention(
  { rows, nHead, headDim, reach }: PromptAttentionParams,
  { q, k, v, places, bucketTable, bias }: PromptAttentionInputs,
): Float64Array {
  const out = new Float64Array(rows * nHead * headDim);
  const at = (row: number, head: number): number => (row * nHead + head) * headDim;
  for (let r = 0; r < rows; r++) {
    const [first, count] = [places[2 * r]!, places[2 * r + 1]!];
    const keys = Array.from({ length: count }, (_, j) => first + j);
    for (let h = 0; h < nHead; h++) {
      const scores = keys.map((j) => {
        const distance = Math.max(-reach, Math.min(reach, j - r));
        let score = bias[bucketTable[distance + reach]! * nHead + h]!;
        for (let d = 0; d < headDim; d++) score += q[at(r, h) + d]! * k[at(j, h) + d]!;
        return score;
      });
      const weights = softmax(scores);
      keys.forEach((j, n) => {
        for (let d = 0; d < headDim; d++) out[at(r, h) + d]! += weights[n]! * v[at(j, h) + d]!;
      });
    }
  }
  return out;
}
