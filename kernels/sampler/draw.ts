/**
 * The draw of one token from probabilities, as WGSL: the exponential race argmax_t p[t] / e_t with e_t
 * exponential, which is Gumbel-max without the logarithm of the probability. e_t is a function of the
 * seed, the step and t alone. The lowest index wins a tie.
 * Source: LlamaGen autoregressive/serve/sampler.py (exponential race), gpt-fast generate.py.
 */

import { range } from '../kernel.ts';
import type { Reducer } from '../lib/reduce.ts';
import { drawnLib } from './drawn.ts';
import { philoxLib } from './philox.ts';

/** Declarations for `begin`, `race` and `finish`, which need `finiteLib` too. */
export const drawLib: string = `${philoxLib}${drawnLib}
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
  let scores = p / vec4f(${range(4)
    .map((c) => `exponential(random[${c}])`)
    .join(', ')});
  ${range(4)
    .map(
      (c) =>
        `if (scores[${c}] > leader.score) { leader = Race(scores[${c}], 4u * block + ${c}u); }`,
    )
    .join('\n  ')}
  return leader;
}`;

/**
 * Statements that say what an entry of the table of sequences draws: `settings` and `step`, the place of
 * the token in its grid. An entry is idle where it has no row, or its row stands nowhere; a given token
 * needs no draw.
 */
export const begin = (clsTokenNum: number): string => `
  let settings = sequenceTable[sequence];
  if (settings.row == NO_ROW) { return; }
  let position = rowTable[settings.row].position;
  if (position == NO_ROW) { return; }
  let step = position - ${clsTokenNum - 1}u;
  if (step < settings.given) {
    if (lane == 0u) { drawn[sequence] = GIVEN; }
    return;
  }`;

export interface FinishParams {
  readonly vocabSize: number;
  /** Reducers over the workgroup: f32 maximum, u32 maximum. */
  readonly highest: Reducer;
  readonly last: Reducer;
  /** Whether this invocation has met a number that is not finite, a WGSL expression. */
  readonly broken: string;
}

/**
 * Statements that end the race `leader` of each invocation: the token is noted in `drawn`. Where an
 * invocation was `broken`, or no token has a chance, that is NO_TOKEN.
 */
export const finish = (params: FinishParams): string => {
  const { vocabSize, broken, highest, last } = params;
  return `
  let top = ${highest.call('leader.score')};
  // The highest bit is free: one more reduction would cost a barrier or more.
  var found = select(0u, ${vocabSize}u - leader.winner, leader.score == top);
  if (${broken}) { found = 0x80000000u; }
  let best_found = ${last.call('found')};
  let none = best_found >= 0x80000000u || top <= 0.0;
  if (lane == 0u) { drawn[sequence] = select(${vocabSize}u - best_found, NO_TOKEN, none); }`;
};
