/**
 * The threshold of top-k and of top-p, as WGSL: the logit at which what the tokens weigh, from the highest
 * logit down, reaches a goal. No sort, and no sum of floats: weights are integers, added up in bins of
 * workgroup memory, so that the result depends on no order.
 */
import { eachToken, type SamplerGroup } from './sampler-group.ts';

/** Neighbouring bins are summed in so many groups first, where there are invocations for them. */
const GROUPS = 32;

/** `fn select_key`, for a struct Filter. */
export function selectLib(group: SamplerGroup): string {
  const { size, lane } = group;
  // One for each invocation, where there are as many.
  const bins = Math.max(256, size);
  const share = 'share_of(logit, f.low, scale)';
  const inside = 'key_of(logit) - keys.x <= keys.y - keys.x && logit >= f.lowest';
  const add = (condition: string, bin: string): string =>
    eachToken(
      group,
      `if (${condition}) {
      var weight = 1u;
      if (!counts) { weight = u32(weight_of(f, logit) * unit + 0.5); }
      atomicAdd(&bins[${bin}], weight);
    }`,
    );
  const meet = (condition: string): string =>
    eachToken(
      group,
      `if (${condition}) { low = min(low, key_of(logit)); high = max(high, key_of(logit)); }`,
    );
  return `
const BINS = ${bins}u;
const NO_KEY = 0xffffffffu;
var<workgroup> bins: array<atomic<u32>, BINS>;
// The lowest key, inverted, and the highest.
var<workgroup> ends: array<atomic<u32>, 2>;
var<workgroup> chosen: vec3u;

// Keys order logits; zero and negative zero are equal.
fn key_of(logit: f32) -> u32 {
  let bits = select(bitcast<u32>(logit), 0u, logit == 0.0);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn logit_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u)); }

// Which of BINS equal shares of a range, from its lowest logit on, a logit is in. Higher logits are
// never in lower shares.
fn share_of(logit: f32, low: f32, scale: f32) -> u32 {
  // Of NaN no clamp makes an index.
  return min(u32(clamp((0.5 * logit - 0.5 * low) * scale, 0.0, f32(BINS - 1u))), BINS - 1u);
}

${chooseLib(group, bins / size)}

// What lane 0 says.
fn for_all(value: u32, lane: u32) -> u32 {
  if (lane == 0u) { chosen = vec3u(value, 0u, 0u); }
  return workgroupUniformLoad(&chosen).x;
}

// The lowest and the highest of all keys; NO_KEY and 0 where there are none.
fn range_of(low: u32, high: u32, lane: u32) -> vec2u {
  if (low <= high) { atomicMax(&ends[0], ~low); atomicMax(&ends[1], high); }
  workgroupBarrier();
  if (lane == 0u) { chosen = vec3u(~atomicExchange(&ends[0], 0u), atomicExchange(&ends[1], 0u), 0u); }
  return workgroupUniformLoad(&chosen).xy;
}

// The key of the logit at which, from the highest logit of the filter down, the weights reach the goal,
// NO_KEY where nothing has a part. Then what the tokens above it weigh, and those at it together. A token
// counts as one, or weighs so many units: then the key is that of a logit. First by shares of the range
// of the logits, then by shares of the keys that are left, until they are one: logits have few leading
// bits, so that most of a vocabulary would meet in a few bins of keys.
fn select_key(own: Own, f: Filter, counts: bool, unit: f32, goal: u32, ${lane.params}) -> vec3u {
  let scale = f32(BINS) / max(0.5 * f.peak - 0.5 * f.low, 1e-30);
  ${add('logit >= f.lowest', share)}
  var choice = choose_bin(0u, goal, ${lane.args});
  var low = NO_KEY;
  var high = 0u;
  ${meet(`logit >= f.lowest && ${share} == choice.x`)}
  var keys = range_of(low, high, lane);
  while (keys.x < keys.y) {
    let shift = 32u - countLeadingZeros((keys.y - keys.x) / BINS);
    ${add(inside, '(key_of(logit) - keys.x) >> shift')}
    choice = choose_bin(choice.y, goal, ${lane.args});
    keys.x += choice.x << shift;
    keys.y = keys.x + min(keys.y - keys.x, (1u << shift) - 1u);
    // Where all of a bin are kept, its lower end tells them from the others as well as the last of them.
    if (counts && choice.y + choice.z == goal) { break; }
    low = NO_KEY;
    high = 0u;
    ${meet(inside)}
    keys = range_of(low, high, lane);
  }
  return vec3u(keys.x, choice.yz);
}`;
}

/**
 * `fn choose_bin`: the bin at which what the bins hold reaches the goal, from the top, the sum above it,
 * and what it holds; empties them.
 */
const chooseLib = (group: SamplerGroup, each: number): string =>
  group.isAlone ? chooseAlone(group, each) : chooseTogether(group, each);

/** One subgroup, or one invocation: each sums its bins, and the one that has the goal looks closer. */
const chooseAlone = ({ size, lane, before }: SamplerGroup, each: number): string => `
fn choose_bin(above: u32, goal: u32, ${lane.params}) -> vec3u {
  workgroupBarrier();
  let top = BINS - 1u - ${each}u * lane;
  var held_here = 0u;
  for (var b = 0u; b < ${each}u; b++) { held_here += atomicLoad(&bins[top - b]); }
  var total = above + ${before.call('held_here')};
  // Where the goal is above all there is, the lowest bin.
  if (total < goal && (total + held_here >= goal || lane == ${size - 1}u)) {
    var bin = top;
    var inside = atomicLoad(&bins[bin]);
    while (bin + ${each}u > top + 1u && total + inside < goal) {
      total += inside;
      bin--;
      inside = atomicLoad(&bins[bin]);
    }
    chosen = vec3u(bin, total, inside);
  }
  for (var b = 0u; b < ${each}u; b++) { atomicStore(&bins[top - b], 0u); }
  return workgroupUniformLoad(&chosen);
}`;

/**
 * Groups of bins are summed side by side, then one invocation looks for the group and for the bin in it,
 * by loops without an end of their own, whose reads need not wait for each other. No scan by subgroups:
 * of values that atomics had left, an H200 (driver 580.159.04) scanned others than it had read.
 */
const chooseTogether = ({ size, lane }: SamplerGroup, each: number): string => {
  const width = (each * size) / GROUPS;
  return `
var<workgroup> groups: array<u32, ${GROUPS}>;
fn choose_bin(above: u32, goal: u32, ${lane.params}) -> vec3u {
  workgroupBarrier();
  if (lane < ${GROUPS}u) {
    var sum = 0u;
    for (var b = 0u; b < ${width}u; b++) { sum += atomicLoad(&bins[BINS - 1u - ${width}u * lane - b]); }
    groups[lane] = sum;
  }
  workgroupBarrier();
  if (lane == 0u) {
    var total = above;
    var top = BINS - 1u;
    var is_short = true;
    for (var g = 0u; g < ${GROUPS - 1}u; g++) {
      is_short = is_short && total + groups[g] < goal;
      total += select(0u, groups[g], is_short);
      top -= select(0u, ${width}u, is_short);
    }
    // Where the goal is above all there is, the lowest bin.
    var bin = top;
    is_short = true;
    for (var b = 0u; b < ${width - 1}u; b++) {
      let inside = atomicLoad(&bins[top - b]);
      is_short = is_short && total + inside < goal;
      total += select(0u, inside, is_short);
      bin -= select(0u, 1u, is_short);
    }
    chosen = vec3u(bin, total, atomicLoad(&bins[bin]));
  }
  let choice = workgroupUniformLoad(&chosen);
  for (var b = 0u; b < ${each}u; b++) { atomicStore(&bins[${each}u * lane + b], 0u); }
  return choice;
}`;
};
