/** Oracle of `filterLogits`: temperature, top-k, top-p and softmax by sorting. */
import type { Sampling } from '../../kernels/sampler/sequence-table.ts';
import { softmax } from './attention.ts';

type Filters = Pick<Sampling, 'temperature' | 'topK' | 'topP' | 'greedy'>;

/** The distribution of one sequence, NaN where there is none. Ties at the cut of top-p go to the lowest indices. */
export function filterLogits(logits: ArrayLike<number>, filters: Filters): Float64Array {
  const { topK, topP, greedy } = filters;
  const vocabSize = logits.length;
  const list = Array.from(logits);
  const isBroken = list.some((v) => Number.isNaN(v) || v === Infinity);
  if (isBroken || list.every((v) => v === -Infinity)) return new Float64Array(vocabSize).fill(NaN);
  const temperature = Math.max(Math.fround(filters.temperature), Math.fround(1e-5));
  const scaled = Array.from(logits, (v) => v / temperature);
  // JavaScript's sort is stable, so equal logits stay in the order of their indices.
  const order = scaled.map((_, t) => t).sort((a, b) => scaled[b]! - scaled[a]!);
  const probs = new Float64Array(vocabSize);
  if (greedy) {
    probs[order[0]!] = 1;
    return probs;
  }
  let kept = order;
  if (topK > 0) {
    const kth = scaled[order[Math.min(topK, vocabSize) - 1]!]!;
    kept = order.filter((t) => scaled[t]! >= kth);
  }
  if (topP < 1) {
    const p = softmax(kept.map((t) => scaled[t]!));
    let before = 0;
    let count = 0;
    while (count < kept.length && before <= Math.fround(topP)) before += p[count++]!;
    kept = kept.slice(0, count);
  }
  const p = softmax(kept.map((t) => scaled[t]!));
  kept.forEach((t, i) => {
    probs[t] = p[i]!;
  });
  return probs;
}
