import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  assert,
  assertSizes,
  type Binding,
  declare,
  enable,
  type Kernel,
  PORTABLE,
  type Variant,
} from './kernel.ts';
import { assertIndexable } from './lib/indexable.ts';
import { laneBuiltins, reducer } from './lib/reduce.ts';
import { variantFeatures } from './lib/rows.ts';
import { samplingBinding, samplingLib } from './lib/sampling.ts';

export interface FilterLogitsParams {
  readonly sequences: number;
  readonly vocabSize: number;
  readonly variant?: Variant;
}

export type FilterLogitsBindings = {
  readonly logits: Binding<'in'>;
  readonly sampling: Binding<'in'>;
  readonly probs: Binding<'out'>;
};

/** Probabilities are summed as integers of this unit, so that their sum is exact in any order. */
const MASS_ONE = 2 ** 31;

/**
 * From logits to the distribution a token is drawn from: temperature, top-k, top-p, softmax. Greedy
 * gives the first maximum probability 1.
 *
 * Top-k removes what is strictly below the k-th largest, so ties stay. Top-p removes a token when the
 * probability of those before it already exceeds p, so the token that crosses p stays; inside a group
 * of equal logits the lowest indices stay. Both thresholds come from a radix select over
 * order-preserving integer keys of the logits, four passes of 256 bins: no sort. Temperature divides
 * the distance to the maximum, which keeps digits that scaled logits would lose.
 *
 * Shapes: logits and probs [sequences, vocabSize], sampling u32 [sequences, 8]. One workgroup per
 * sequence.
 * Source: LlamaGen autoregressive/models/generate.py, top_k_top_p_filtering and sample.
 */
export function filterLogits(params: FilterLogitsParams): Kernel<FilterLogitsBindings> {
  const { sequences, vocabSize, variant = PORTABLE } = params;
  assertSizes('filter_logits', { sequences, vocabSize });
  assert(vocabSize <= 2 ** 24, `filter_logits: vocabSize ${vocabSize} is above 2^24`);
  const bindings: FilterLogitsBindings = {
    logits: { role: 'in', dtype: 'f32', shape: [sequences, vocabSize] },
    sampling: samplingBinding(sequences),
    probs: { role: 'out', dtype: 'f32', shape: [sequences, vocabSize] },
  };
  assertIndexable('filter_logits', bindings);
  const serial = variant.reduce === 'serial';
  const size = serial ? 1 : 256;
  const reduce = variant.reduce === 'serial' ? 'workgroup' : variant.reduce;
  const chunk = Math.ceil(vocabSize / size);
  const highest = reducer({ name: 'highest', type: 'f32', op: 'max', size, reduce });
  const last = reducer({ name: 'last', type: 'u32', op: 'max', size, reduce });
  const sum = reducer({ name: 'sum', type: 'f32', op: 'sum', size, reduce });
  const features = variantFeatures({ reduce, f16: false }, false);
  const code = wgsl`${enable(features)}
${samplingLib}
${declare(bindings)}
const VOCAB = ${vocabSize}u;
const CHUNK = ${chunk}u;
const PART = 128u;
${highest.code}
${last.code}
${sum.code}
var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> chosen: vec2u;
var<workgroup> ties: array<u32, ${size}>;

fn logit_at(sequence: u32, token: u32) -> f32 { return logits[sequence * VOCAB + token]; }

// Probability of a logit over that of the highest.
fn weight_of(logit: f32, peak: f32, temperature: f32) -> f32 { return exp((logit - peak) / temperature); }

fn key_of(logit: f32) -> u32 {
  let bits = select(bitcast<u32>(logit), 0u, logit == 0.0);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

// Adds a weight to the bin of a key's digit when the digits above it are those of the prefix.
fn tally(key: u32, weight: u32, shift: u32, prefix: u32) {
  if (shift < 24u && (key >> (shift + 8u)) != prefix) { return; }
  atomicAdd(&bins[(key >> shift) & 255u], weight);
}

fn clear_bins(lane: u32) {
  for (var bin = lane; bin < 256u; bin += ${size}u) { atomicStore(&bins[bin], 0u); }
  workgroupBarrier();
}

// The digit at which the weight of all keys from the top reaches the target, and the weight above it.
fn choose_digit(lane: u32, prefix: u32, above: u32, goal: u32) -> vec2u {
  workgroupBarrier();
  if (lane == 0u) {
    var total = above;
    var digit = 255u;
    for (; digit > 0u; digit--) {
      let next = total + atomicLoad(&bins[digit]);
      if (next >= goal) { break; }
      total = next;
    }
    chosen = vec2u((prefix << 8u) | digit, total);
  }
  return workgroupUniformLoad(&chosen);
}

@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
  let sequence = group.x;
  let how = sampling[sequence];
  let temperature = max(how.temperature, 1e-5);
  let first = lane * CHUNK;
  let end = min(first + CHUNK, VOCAB);

  var best = -3.4e38;
  for (var t = first; t < end; t++) { best = max(best, logit_at(sequence, t)); }
  let peak = ${highest.call('best')};

  if ((how.flags & GREEDY) != 0u) {
    var found = 0u;
    for (var t = first; t < end; t++) {
      if (found == 0u && logit_at(sequence, t) == peak) { found = VOCAB - t; }
    }
    let winner = VOCAB - ${last.call('found')};
    for (var t = first; t < end; t++) { probs[sequence * VOCAB + t] = select(0.0, 1.0, t == winner); }
    return;
  }

  var lowest = 0u;
  if (how.top_k > 0u && how.top_k < VOCAB) {
    var pick = vec2u();
    for (var digit = 0u; digit < 4u; digit++) {
      let shift = 24u - 8u * digit;
      clear_bins(lane);
      for (var t = first; t < end; t++) {
        tally(key_of(logit_at(sequence, t)), 1u, shift, pick.x);
      }
      pick = choose_digit(lane, pick.x, pick.y, how.top_k);
    }
    lowest = pick.x;
  }

  // Sums of sums: one long f32 sum over a vocabulary would lose three digits.
  var kept = 0.0;
  var part = 0.0;
  for (var t = first; t < end; t++) {
    let logit = logit_at(sequence, t);
    if (key_of(logit) >= lowest) { part += weight_of(logit, peak, temperature); }
    if (t % PART == 0u) { kept += part; part = 0.0; }
  }
  var total = ${sum.call('kept + part')};

  var spare = VOCAB;
  if (how.top_p < 1.0) {
    let unit = f32(${MASS_ONE}) / total;
    let limit = u32(max(how.top_p, 0.0) * f32(${MASS_ONE}));
    var pick = vec2u();
    for (var digit = 0u; digit < 4u; digit++) {
      let shift = 24u - 8u * digit;
      clear_bins(lane);
      for (var t = first; t < end; t++) {
        let logit = logit_at(sequence, t);
        let key = key_of(logit);
        if (key >= lowest) { tally(key, u32(weight_of(logit, peak, temperature) * unit + 0.5), shift, pick.x); }
      }
      pick = choose_digit(lane, pick.x, pick.y, limit + 1u);
    }
    let bits = select(~pick.x, pick.x & 0x7fffffffu, (pick.x >> 31u) == 1u);
    let mass = u32(weight_of(bitcast<f32>(bits), peak, temperature) * unit + 0.5);
    // Rounding may leave the whole mass at p or below: then nothing is cut.
    if (pick.x >= lowest && pick.y <= limit && mass > 0u) {
      lowest = pick.x;
      // Members of the group at the threshold: as many as fit before p is passed, and one more.
      spare = (limit - pick.y) / mass + 1u;
    }
    var members = 0u;
    for (var t = first; t < end; t++) {
      members += u32(key_of(logit_at(sequence, t)) == lowest);
    }
    ties[lane] = members;
    workgroupBarrier();
    var before = 0u;
    for (var l = 0u; l < lane; l++) { before += ties[l]; }
    spare -= min(spare, before);
    kept = 0.0;
    part = 0.0;
    var left = spare;
    for (var t = first; t < end; t++) {
      let logit = logit_at(sequence, t);
      let key = key_of(logit);
      if (key > lowest || (key == lowest && left > 0u)) { part += weight_of(logit, peak, temperature); }
      left -= min(left, u32(key == lowest));
      if (t % PART == 0u) { kept += part; part = 0.0; }
    }
    total = ${sum.call('kept + part')};
  }

  for (var t = first; t < end; t++) {
    let logit = logit_at(sequence, t);
    let key = key_of(logit);
    var p = 0.0;
    if (key > lowest || (key == lowest && spare > 0u)) { p = weight_of(logit, peak, temperature) / total; }
    spare -= min(spare, u32(key == lowest));
    probs[sequence * VOCAB + t] = p;
  }
}`;
  return {
    label: `filter_logits f32[${sequences},${vocabSize}]`,
    code,
    bindings,
    workgroups: [sequences, 1, 1],
    features,
  };
}
