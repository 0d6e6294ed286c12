/** Oracle of `drawToken`: the exponential race argmax_t probs[t] / e_t; NO_TOKEN where none can win. */

import { NO_TOKEN } from '../../kernels/lib/finite.ts';
import { NO_ROW } from '../../kernels/lib/row-table.ts';
import type { DrawTokenParams } from '../../kernels/sampler/draw-token.ts';
import { GIVEN } from '../../kernels/sampler/drawn.ts';
import type { DrawingSequence } from '../../kernels/sampler/sequence-table.ts';
import { philox } from './philox.ts';

/**
 * The tokens that may win the race, the winner first: those whose score is within `tolerance`
 * (relative) of the best, which float32 cannot tell apart.
 */
export function race(
  probs: ArrayLike<number>,
  seed: number,
  step: number,
  tolerance = 1e-5,
): number[] {
  const key = [seed % 2 ** 32, Math.floor(seed / 2 ** 32)];
  let random: number[] = [];
  const scores = Array.from(probs, (p, token) => {
    if (token % 4 === 0) random = philox([token / 4, step, 0, 0], key);
    const v = Math.min((random[token % 4]! + 0.5) / 2 ** 32, 1 - 2 ** -24);
    return p === 0 ? 0 : p / -Math.log1p(-v);
  });
  const best = scores.reduce((a, b) => Math.max(a, b), 0);
  const close = scores.map((_, t) => t).filter((t) => scores[t]! >= best * (1 - tolerance));
  return close.sort((a, b) => scores[b]! - scores[a]!);
}

/** What is drawn for each entry, after one dispatch. */
export function drawToken(
  params: DrawTokenParams,
  inputs: {
    readonly probs: ArrayLike<number>;
    readonly sequences: readonly DrawingSequence[];
    readonly rowTable: ArrayLike<number>;
    readonly drawn: ArrayLike<number>;
  },
): Uint32Array {
  const { vocabSize, clsTokenNum } = params;
  const probs = Float64Array.from(inputs.probs);
  const drawn = Uint32Array.from(inputs.drawn);
  for (const [s, { row, seed, given }] of inputs.sequences.entries()) {
    const position = inputs.rowTable[4 * row + 1]!;
    if (position === NO_ROW) continue;
    const step = position - (clsTokenNum - 1);
    const own = probs.subarray(s * vocabSize, (s + 1) * vocabSize);
    const sound = own.every((p) => Number.isFinite(p)) && own.some((p) => p > 0);
    if (step < given) drawn[s] = GIVEN;
    else drawn[s] = sound ? race(own, seed, step)[0]! : NO_TOKEN;
  }
  return drawn;
}
