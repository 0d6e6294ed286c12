/**
 * From the logits of one sequence to the distribution its token is drawn from, as WGSL that kernels put
 * into their `main`: temperature, top-k, top-p, softmax. No sort: thresholds come from a selection over
 * bins, of exact counts or of mass in fixed point, so their results depend on no order.
 */

import { ceilDiv, range } from '../kernel.ts';
import { finiteLib } from '../lib/finite.ts';
import type { SamplerGroup } from './sampler-group.ts';

export interface FilterParams extends Omit<SamplerGroup, 'reduce'> {
  readonly vocabSize: number;
  /** Statements that make `v` (vec4f) the logits 4i .. 4i+3, once for each quad, before all else. */
  readonly first: string;
  /** Whether `first` writes what later reads take from memory: other invocations must see it. */
  readonly writes: boolean;
  /** Whether a logit of minus infinity is one that is not allowed; else it is an overflow. */
  readonly masks: boolean;
}

/** Probabilities are summed as integers of this unit, so that their sum is exact in any order. */
const MASS_ONE = 2 ** 31;

/** Quads after which a partial sum is added to the sum: one long f32 sum would lose three digits. */
const PART = 32;

/**
 * Declarations for `filterBody`. The kernel defines `fn logits_at(row: u32, i: u32) -> vec4f` over
 * logits f32 [sequences, vocabSize] (`rowReader`), and the struct Sequence.
 */
export const filterLib = ({
  vocabSize,
  size,
  highest,
  last,
  sum,
}: FilterParams): string => `${finiteLib}
const MINUS_INFINITY = 0xff800000u;
const VOCAB = ${vocabSize}u;
const QUADS = ${Math.ceil(vocabSize / 4)}u;
${highest.code}
${last.code}
${sum.code}
var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> chosen: vec2u;
var<workgroup> ties: array<u32, ${size}>;

// Probability of a logit over that of the highest.
fn weight_of(logit: f32, peak: f32, temperature: f32) -> f32 { return exp((logit - peak) / temperature); }

// Keys order logits; zero and negative zero are equal.
fn key_of(logit: f32) -> u32 {
  let bits = select(bitcast<u32>(logit), 0u, logit == 0.0);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn logit_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u)); }

// Which of 256 equal shares of the range a logit is in. Higher logits are never in lower shares.
fn share_of(logit: f32, low: f32, scale: f32) -> u32 {
  // Of NaN no clamp makes an index.
  return min(u32(clamp((0.5 * logit - 0.5 * low) * scale, 0.0, 255.0)), 255u);
}

fn clear_bins(lane: u32) {
  for (var bin = lane; bin < 256u; bin += ${size}u) { atomicStore(&bins[bin], 0u); }
  workgroupBarrier();
}

// The bin at which what the bins hold reaches the goal, from the top, and the sum above that bin.
fn choose_bin(lane: u32, above: u32, goal: u32) -> vec2u {
  workgroupBarrier();
  if (lane == 0u) {
    var total = above;
    var bin = 255u;
    for (; bin > 0u; bin--) {
      let next = total + atomicLoad(&bins[bin]);
      if (next >= goal) { break; }
      total = next;
    }
    chosen = vec2u(bin, total);
  }
  return workgroupUniformLoad(&chosen);
}

// The n-th token, counted from 1, whose key is this; VOCAB when there are fewer.
fn nth_tie(sequence: u32, lane: u32, key: u32, n: u32) -> u32 {
  let begin = min(lane * ${ceilDiv(ceilDiv(vocabSize, 4), size)}u, QUADS);
  let end = min(begin + ${ceilDiv(ceilDiv(vocabSize, 4), size)}u, QUADS);
  var members = 0u;
  for (var i = begin; i < end; i++) {
    let v = logits_at(sequence, i);
    ${tokens(vocabSize, 'members += u32(key_of(logit) == key);')}
  }
  ties[lane] = members;
  if (lane == 0u) { chosen = vec2u(VOCAB, 0u); }
  workgroupBarrier();
  var before = 0u;
  for (var l = 0u; l < lane; l++) { before += ties[l]; }
  var left = select(0u, n - before, n > before && n <= before + members);
  for (var i = begin; i < end && left > 0u; i++) {
    let v = logits_at(sequence, i);
    ${tokens(vocabSize, 'if (left > 0u && key_of(logit) == key) { left--; if (left == 0u) { chosen.x = token; } }')}
  }
  return workgroupUniformLoad(&chosen).x;
}`;

/**
 * Statements about `logit`, the logit of `token`, for the four tokens of quad `i` in `v`. Written out: a loop
 * over `v[c]` takes the sampler 1.2 times as long (SwiftShader, 16384 tokens).
 */
const tokens = (vocabSize: number, body: string): string =>
  range(4)
    .map((c) => {
      const text = `let token = 4u * i + ${c}u; let logit = v[${c}]; ${body}`;
      return vocabSize % 4 === 0 ? `{ ${text} }` : `if (4u * i + ${c}u < VOCAB) { ${text} }`;
    })
    .join('\n    ');

/**
 * Statements that leave `lowest` and `final_token`: tokens with a lower key than `lowest` have no part in
 * the distribution, nor those at it that come after `final_token`; and `peak`, `temperature` and `total`,
 * which make weights probabilities. For `sequence`, an entry of the table with the settings `settings`; needs `filterLib` and `lane`.
 * `largest` is the largest magnitude among the logits that this invocation has seen; from INFINITE on
 * one of them was not finite, and nothing else here means anything.
 */
export function filterBody(params: FilterParams): string {
  const { vocabSize, size, highest, last, sum, first, writes, masks } = params;
  const magnitude = masks
    ? 'select(magnitude_of(logit), 0u, bitcast<u32>(logit) == MINUS_INFINITY)'
    : 'magnitude_of(logit)';
  const each = (body: string): string => `for (var i = lane; i < QUADS; i += ${size}u) {
    let v = logits_at(sequence, i);
    ${tokens(vocabSize, body)}
  }`;
  const sumOf = (condition: string): string => `kept = 0.0;
  part = 0.0;
  for (var i = lane; i < QUADS; i += ${size}u) {
    let v = logits_at(sequence, i);
    ${tokens(vocabSize, `if (${condition}) { part += weight_of(logit, peak, temperature); }`)}
    if (i % ${PART * size}u >= ${(PART - 1) * size}u) { kept += part; part = 0.0; }
  }
  total = ${sum.call('kept + part')};`;
  // The key at which what the tokens of a condition weigh reaches the goal, and the sum above it: first
  // the share of the range, then the key within it, byte by byte. Logits have few leading bytes: without
  // shares most of a vocabulary would meet in one bin.
  const search = (condition: string, weight: string, goal: string): string => `
  clear_bins(lane);
  ${each(`if (${condition}) { atomicAdd(&bins[share_of(logit, low, scale)], ${weight}); }`)}
  let share = choose_bin(lane, 0u, ${goal});
  var key = 0u;
  var above = share.y;
  for (var shift = 24u; shift < 32u; shift -= 8u) {
    clear_bins(lane);
    for (var i = lane; i < QUADS; i += ${size}u) {
      let v = logits_at(sequence, i);
      ${tokens(
        vocabSize,
        `let k = key_of(logit);
      let same = shift == 24u || (k >> min(shift + 8u, 31u)) == key;
      if (same && share_of(logit, low, scale) == share.x && ${condition}) { atomicAdd(&bins[(k >> shift) & 255u], ${weight}); }`,
      )}
    }
    let byte = choose_bin(lane, above, ${goal});
    key = (key << 8u) | byte.x;
    above = byte.y;
  }`;
  return `
  let temperature = max(settings.temperature, 1e-5);
  var best = -3.4028234e38;
  var worst = 3.4e38;
  var largest = 0u;
  for (var i = lane; i < QUADS; i += ${size}u) {
    ${first}
    ${tokens(vocabSize, `best = max(best, logit); worst = min(worst, logit); largest = max(largest, ${magnitude});`)}
  }
  let peak = ${highest.call('best')};
  let low = -${highest.call('-max(worst, -3e38)')};
  let scale = 256.0 / max(0.5 * peak - 0.5 * low, 1e-30);
  ${writes ? 'storageBarrier();' : ''}
  var lowest = 0u;
  var final_token = VOCAB;
  var total = 1.0;
  var kept = 0.0;
  var part = 0.0;
  if ((settings.flags & GREEDY) != 0u) {
    var found = 0u;
    ${each('if (logit == peak) { found = max(found, VOCAB - token); }')}
    final_token = VOCAB - ${last.call('found')};
    lowest = key_of(peak);
  } else {
    if (settings.top_k > 0u && settings.top_k < VOCAB) {
      ${search('true', '1u', 'settings.top_k')}
      lowest = key;
    }
    ${sumOf('key_of(logit) >= lowest')}
    if (settings.top_p < 1.0) {
      let unit = f32(${MASS_ONE}) / total;
      let limit = u32(max(settings.top_p, 0.0) * f32(${MASS_ONE}));
      ${search('key_of(logit) >= lowest', 'u32(weight_of(logit, peak, temperature) * unit + 0.5)', 'limit + 1u')}
      let mass = u32(weight_of(logit_of(key), peak, temperature) * unit + 0.5);
      // Of the tokens at the threshold as many stay as fit before p is passed, and one more.
      let fit = (max(limit, above) - above) / max(mass, 1u) + 1u;
      let cut = nth_tie(sequence, lane, key, fit);
      // Rounding may leave the whole mass at p or below: then nothing is cut.
      if (key >= lowest && above <= limit && mass > 0u) {
        lowest = key;
        final_token = cut;
      }
      ${sumOf('key_of(logit) > lowest || (key_of(logit) == lowest && token <= final_token)')}
    }
  }`;
}

/** Statements that make `p` (vec4f) the probabilities of quad `i`, with logits `v`, after `filterBody`. */
export const probabilities = ({ vocabSize }: Pick<FilterParams, 'vocabSize'>): string => `
    var p = vec4f();
    ${range(4)
      .map((c) => {
        const inside = vocabSize % 4 === 0 ? '' : `4u * i + ${c}u < VOCAB && `;
        return `if (${inside}(key_of(v[${c}]) > lowest || (key_of(v[${c}]) == lowest && 4u * i + ${c}u <= final_token))) { p[${c}] = weight_of(v[${c}], peak, temperature) / total; }`;
      })
      .join('\n    ')}`;
