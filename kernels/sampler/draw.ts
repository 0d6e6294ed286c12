/**
 * The draw of one token from probabilities, as WGSL: the exponential race argmax_t p[t] / e_t with e_t
 * exponential, which is Gumbel-max without the logarithm of the probability. e_t is a function of the
 * seed, the step and t alone. The lowest index wins a tie.
 * Source: LlamaGen autoregressive/serve/sampler.py (exponential race), gpt-fast generate.py.
 */

import type { Reducer } from '../lib/reduce.ts';
import { philoxLib } from './philox.ts';

/** Declarations for `race` and `finish`, which need `finiteLib` too. */
export const drawLib: string = `${philoxLib}
// -log(1 - v) for v in (0, 1), exact to float precision for small v, where races are won.
fn exponential(bits: u32) -> f32 {
  let v = min((f32(bits) + 0.5) * ${2 ** -32}, ${1 - 2 ** -24});
  let series = v * (1.0 + v * (0.5 + v * (${1 / 3} + v * 0.25)));
  return select(-log(1.0 - v), series, v < ${2 ** -6});
}
struct Race { score: f32, winner: u32 }
// Tokens 4 block .. 4 block + 3 with probabilities p enter the race.
fn race(so_far: Race, block: u32, p: vec4f, step: u32, seed: vec2u) -> Race {
  var leader = so_far;
  if (all(p == vec4f())) { return leader; }
  let random = philox(vec4u(block, step, 0u, 0u), seed);
  for (var c = 0u; c < 4u; c++) {
    let score = p[c] / exponential(random[c]);
    if (score > leader.score) { leader = Race(score, 4u * block + c); }
  }
  return leader;
}`;

export interface FinishParams {
  readonly vocabSize: number;
  readonly blockSize: number;
  /** Reducers over the workgroup: f32 maximum, u32 maximum. */
  readonly highest: Reducer;
  readonly last: Reducer;
  /** Whether this invocation has met a number that is not finite, a WGSL expression. */
  readonly broken: string;
}

/**
 * Statements that end the race `leader` of each invocation: the token is written at `step` unless it was
 * given, and the rows of the sequence `settings` move one position on. A sequence whose grid is full is left alone.
 * Where an invocation was `broken`, or no token has a chance, NO_TOKEN is written, over a given token too:
 * it is read with the grid, and its place is the step.
 */
export const finish = (params: FinishParams): string => {
  const { vocabSize, blockSize, highest, last, broken } = params;
  return `
  let top = ${highest.call('leader.score')};
  // The highest bit is free: one more reduction would cost a barrier or more.
  var found = select(0u, ${vocabSize}u - leader.winner, leader.score == top);
  if (${broken}) { found = 0x80000000u; }
  let best_found = ${last.call('found')};
  let none = best_found >= 0x80000000u || top <= 0.0;
  let token = select(${vocabSize}u - best_found, NO_TOKEN, none);
  if (lane > 0u || step >= ${blockSize}u) { return; }
  if (none || step >= settings.given) { tokens[settings.sequence * ${blockSize}u + step] = token; }
  rowTable[settings.row].position += 1u;
  if (settings.uncond_row != NO_ROW) { rowTable[settings.uncond_row].position += 1u; }`;
};
