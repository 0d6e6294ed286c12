/**
 * From the logits of one sequence to the distribution its token is drawn from, as WGSL: temperature, top-k,
 * top-p, softmax. No sort: thresholds come from selections (`select.ts`).
 */
import { ceilDiv } from '../kernel.ts';
import { quads } from '../lib/accessors.ts';
import { finiteLib } from '../lib/finite.ts';
import { eachOfQuad, eachPlace, eachQuad, eachToken, type SamplerGroup } from './sampler-group.ts';
import { selectLib } from './select.ts';

export interface FilterParams {
  readonly group: SamplerGroup;
  /** Whether a logit of minus infinity is one that is not allowed; else it is an overflow. */
  readonly masks: boolean;
}

/** Probabilities are summed as integers of this unit, so that their sum is exact in any order. */
const MASS_ONE = 2 ** 31;

/** Quads after which a partial sum is added to the sum: one long f32 sum would lose three digits. */
const PART = 32;

/**
 * `fn filter_of(own: Own, settings: Sequence, ...) -> Filter`: which tokens of a sequence may be drawn, and
 * how likely; `fn probs_of(f: Filter, i: u32, v: vec4f) -> vec4f`: the probabilities of quad `i`, whose
 * logits are `v` (`eachQuad`). Needs the struct Sequence and a struct Own, whatever
 * `fn logits_of(own: Own, i: u32) -> vec4f` has to know to give the logits 4i .. 4i+3 of the sequence.
 */
export function filterLib({ group, masks }: FilterParams): string {
  const { vocabSize, size, held, lane, highest, edges, last, sum, before } = group;
  const each = ceilDiv(quads(vocabSize), size);
  const magnitude = masks
    ? 'select(magnitude_of(logit), 0u, bitcast<u32>(logit) == MINUS_INFINITY)'
    : 'magnitude_of(logit)';
  const ends = eachOfQuad(
    group,
    () =>
      `best = max(best, logit); worst = min(worst, logit); largest = max(largest, ${magnitude});`,
  );
  return `${finiteLib}
const MINUS_INFINITY = 0xff800000u;
const LEAST = -3.4028234e38;
const VOCAB = ${vocabSize}u;
const QUADS = ${quads(vocabSize)}u;
${[highest, edges, last, sum, before].map(({ code }) => code).join('\n')}
${held > 0 ? `var<private> held: array<vec4f, ${held}>;` : ''}

struct Filter {
  // The highest logit, and the lowest that selections tell from those below.
  peak: f32,
  low: f32,
  // Tokens with a lower logit have no part in the distribution, nor those at it that come after the final one.
  lowest: f32,
  final_token: u32,
  temperature: f32,
  // What all weigh together.
  total: f32,
  // A logit is no number, or no token is allowed: then nothing else here means anything.
  broken: bool,
  empty: bool,
}

fn stays(f: Filter, logit: f32, token: u32) -> bool {
  return logit > f.lowest || (logit == f.lowest && token <= f.final_token);
}

// Probability of a logit over that of the highest.
fn weight_of(f: Filter, logit: f32) -> f32 { return exp((logit - f.peak) / f.temperature); }

fn probs_of(f: Filter, i: u32, v: vec4f) -> vec4f {
  var p = vec4f();
  ${eachOfQuad(group, (c) => `if (stays(f, logit, token)) { p[${c}] = weight_of(f, logit) / f.total; }`)}
  return p;
}
${selectLib(group)}

// All that stays, from the highest to the lowest logit.
fn all_of(own: Own, temperature: f32, ${lane.params}) -> Filter {
  var best = LEAST;
  var worst = 3.4e38;
  var largest = 0u;
  ${held > 0 ? eachPlace(group, 'held[j] = logits_of(own, i);') : ''}
  ${eachQuad(group, ends)}
  let seen = vec4f(best, -max(worst, -3e38), f32(largest >= INFINITE), f32(best > LEAST || largest > 0u));
  let all = ${edges.call('seen')};
  let none = bitcast<f32>(MINUS_INFINITY | (largest & 0u));
  return Filter(all.x, -all.y, none, VOCAB, max(temperature, 1e-5), 1.0, all.z > 0.0, all.w == 0.0);
}

fn total_of(own: Own, f: Filter, ${lane.params}) -> f32 {
  var kept = 0.0;
  var part = 0.0;
  ${eachQuad(
    group,
    `${eachOfQuad(group, () => 'if (stays(f, logit, token)) { part += weight_of(f, logit); }')}
    ${each > PART ? `if (i % ${PART * size}u >= ${(PART - 1) * size}u) { kept += part; part = 0.0; }` : ''}`,
  )}
  return ${sum.call('kept + part')};
}

// The n-th token, counted from 1, whose logit is this; VOCAB where there are fewer.
fn nth_tie(own: Own, tie: f32, n: u32, ${lane.params}) -> u32 {
  let begin = min(lane * ${each}u, QUADS);
  let end = min(begin + ${each}u, QUADS);
  var members = 0u;
  for (var i = begin; i < end; i++) {
    let v = logits_of(own, i);
    ${eachOfQuad(group, () => 'members += u32(logit == tie);')}
  }
  let earlier = ${before.call('members')};
  var left = select(0u, n - earlier, n > earlier && n <= earlier + members);
  var found = 0u;
  for (var i = begin; i < end && left > 0u; i++) {
    let v = logits_of(own, i);
    ${eachOfQuad(group, () => 'if (left > 0u && logit == tie) { left--; if (left == 0u) { found = VOCAB - token; } }')}
  }
  return VOCAB - ${last.call('found')};
}

fn filter_of(own: Own, settings: Sequence, ${lane.params}) -> Filter {
  var f = all_of(own, settings.temperature, ${lane.args});
  if ((settings.flags & GREEDY) != 0u) {
    var found = 0u;
    ${eachToken(group, 'if (logit == f.peak) { found = max(found, VOCAB - token); }')}
    f.final_token = VOCAB - ${last.call('found')};
    f.lowest = f.peak;
    return f;
  }
  // Top-k, then top-p: one after the other in the same text, which compiles in half the time.
  for (var stage = 0u; stage < 2u; stage++) {
    let cuts_k = stage == 0u && settings.top_k > 0u && settings.top_k < VOCAB;
    let cuts_p = stage == 1u && settings.top_p < 1.0;
    if (cuts_k || cuts_p) {
      let unit = f32(${MASS_ONE}) / f.total;
      let limit = u32(max(settings.top_p, 0.0) * f32(${MASS_ONE}));
      let found = select_key(own, f, cuts_k, unit, select(limit + 1u, settings.top_k, cuts_k), ${lane.args});
      let threshold = logit_of(found.x);
      let mass = u32(weight_of(f, threshold) * unit + 0.5);
      // Rounding may leave the whole mass at p or below: then nothing is cut.
      if (cuts_k || (found.x != NO_KEY && mass > 0u)) {
        f.lowest = threshold;
        f.low = max(f.low, threshold);
      }
      // Of the tokens at the threshold as many stay as fit before p is passed, and one more.
      let fit = (limit - found.y) / max(mass, 1u) + 1u;
      let nth = for_all(select(0u, fit, cuts_p && found.x != NO_KEY && fit < found.z / max(mass, 1u)), lane);
      if (nth > 0u) { f.final_token = nth_tie(own, threshold, nth, ${lane.args}); }
    }
    if (stage == 0u || cuts_p) { f.total = total_of(own, f, ${lane.args}); }
  }
  return f;
}`;
}
