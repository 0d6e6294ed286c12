struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}

struct Sequence {
  row: u32,
  uncond_row: u32,
  given: u32,
  flags: u32,
  seed: vec2u,
  cfg_scale: f32,
  cfg_interval: i32,
  temperature: f32,
  top_k: u32,
  top_p: f32,
}

const NO_ROW = 4294967295u;
const GREEDY = 1u;
@group(0) @binding(0) var<storage, read> raw: array<vec4f>; // f32 [2, 16384]
@group(0) @binding(1) var<storage, read> sequenceTable: array<Sequence>; // u32 [1, 12]
@group(0) @binding(2) var<storage, read> rowTable: array<Row>; // u32 [2, 4]
@group(0) @binding(3) var<storage, read_write> drawn: array<u32>; // u32 [1]

fn raw_at(row: u32, i: u32) -> vec4f {
  return raw[row * 4096u + i];
}

// The rows that logits are taken from, twice the same where there is no guidance.
struct Own { cond: u32, uncond: u32, scale: f32 }

fn own_of(settings: Sequence, step: u32) -> Own {
  let in_time = settings.cfg_interval < 0 || i32(step) - 1 <= settings.cfg_interval;
  let guided = settings.uncond_row != NO_ROW && settings.cfg_scale > 1.0 && in_time;
  return Own(settings.row, select(settings.row, settings.uncond_row, guided), settings.cfg_scale);
}

fn guided_at(own: Own, i: u32) -> vec4f {
  let cond = raw_at(own.cond, i);
  let uncond = raw_at(own.uncond, i);
  return select(uncond + (cond - uncond) * own.scale, cond, own.uncond == own.cond);
}

fn logits_of(own: Own, i: u32) -> vec4f { return guided_at(own, i); }

const INFINITE = 0x7f800000u;
const NO_TOKEN = 4294967295u;

fn magnitude_of(v: f32) -> u32 { return bitcast<u32>(v) & 0x7fffffffu; }

const MINUS_INFINITY = 0xff800000u;
const LEAST = -3.4028234e38;
const VOCAB = 16384u;
const QUADS = 4096u;
var<workgroup> highest_scratch: array<f32, 256>;

fn highest(value: f32, lane: u32) -> f32 {
  highest_scratch[lane] = value;
  for (var stride = 128u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) {
      highest_scratch[lane] = max(highest_scratch[lane], highest_scratch[lane + stride]);
    }
  }
  workgroupBarrier();
  let total = highest_scratch[0];
  workgroupBarrier();
  return total;
}

var<workgroup> edges_scratch: array<vec4f, 256>;

fn edges(value: vec4f, lane: u32) -> vec4f {
  edges_scratch[lane] = value;
  for (var stride = 128u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) {
      edges_scratch[lane] = max(edges_scratch[lane], edges_scratch[lane + stride]);
    }
  }
  workgroupBarrier();
  let total = edges_scratch[0];
  workgroupBarrier();
  return total;
}

var<workgroup> last_scratch: array<u32, 256>;

fn last(value: u32, lane: u32) -> u32 {
  last_scratch[lane] = value;
  for (var stride = 128u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) {
      last_scratch[lane] = max(last_scratch[lane], last_scratch[lane + stride]);
    }
  }
  workgroupBarrier();
  let total = last_scratch[0];
  workgroupBarrier();
  return total;
}

var<workgroup> sum_scratch: array<f32, 256>;

fn sum(value: f32, lane: u32) -> f32 {
  sum_scratch[lane] = value;
  for (var stride = 128u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) { sum_scratch[lane] = sum_scratch[lane] + sum_scratch[lane + stride]; }
  }
  workgroupBarrier();
  let total = sum_scratch[0];
  workgroupBarrier();
  return total;
}

var<workgroup> before_scratch: array<u32, 256>;

fn before(value: u32, lane: u32) -> u32 {
  var total = value;
  for (var stride = 1u; stride < 256u; stride <<= 1u) {
    before_scratch[lane] = total;
    workgroupBarrier();
    if (lane >= stride) { total += before_scratch[lane - stride]; }
    workgroupBarrier();
  }
  return total - value;
}

var<private> held: array<vec4f, 16>;
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
  {
    let token = 4u * i;
    let logit = v[0];
    if (stays(f, logit, token)) { p[0] = weight_of(f, logit) / f.total; }
  }
  {
    let token = 4u * i + 1u;
    let logit = v[1];
    if (stays(f, logit, token)) { p[1] = weight_of(f, logit) / f.total; }
  }
  {
    let token = 4u * i + 2u;
    let logit = v[2];
    if (stays(f, logit, token)) { p[2] = weight_of(f, logit) / f.total; }
  }
  {
    let token = 4u * i + 3u;
    let logit = v[3];
    if (stays(f, logit, token)) { p[3] = weight_of(f, logit) / f.total; }
  }
  return p;
}

const BINS = 256u;
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

fn logit_of(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}

// Which of BINS equal shares of a range, from its lowest logit on, a logit is in. Higher logits are
// never in lower shares.
fn share_of(logit: f32, low: f32, scale: f32) -> u32 {
  // Of NaN no clamp makes an index.
  return min(u32(clamp((0.5 * logit - 0.5 * low) * scale, 0.0, f32(BINS - 1u))), BINS - 1u);
}

var<workgroup> groups: array<u32, 32>;

fn choose_bin(above: u32, goal: u32, lane: u32) -> vec3u {
  workgroupBarrier();
  if (lane < 32u) {
    var sum = 0u;
    for (var b = 0u; b < 8u; b++) { sum += atomicLoad(&bins[BINS - 1u - 8u * lane - b]); }
    groups[lane] = sum;
  }
  workgroupBarrier();
  if (lane == 0u) {
    var total = above;
    var top = BINS - 1u;
    var is_short = true;
    for (var g = 0u; g < 31u; g++) {
      is_short = is_short && total + groups[g] < goal;
      total += select(0u, groups[g], is_short);
      top -= select(0u, 8u, is_short);
    }
    // Where the goal is above all there is, the lowest bin.
    var bin = top;
    is_short = true;
    for (var b = 0u; b < 7u; b++) {
      let inside = atomicLoad(&bins[top - b]);
      is_short = is_short && total + inside < goal;
      total += select(0u, inside, is_short);
      bin -= select(0u, 1u, is_short);
    }
    chosen = vec3u(bin, total, atomicLoad(&bins[bin]));
  }
  let choice = workgroupUniformLoad(&chosen);
  for (var b = 0u; b < 1u; b++) { atomicStore(&bins[1u * lane + b], 0u); }
  return choice;
}

// What lane 0 says.
fn for_all(value: u32, lane: u32) -> u32 {
  if (lane == 0u) { chosen = vec3u(value, 0u, 0u); }
  return workgroupUniformLoad(&chosen).x;
}

// The lowest and the highest of all keys; NO_KEY and 0 where there are none.
fn range_of(low: u32, high: u32, lane: u32) -> vec2u {
  if (low <= high) {
    atomicMax(&ends[0], ~low);
    atomicMax(&ends[1], high);
  }
  workgroupBarrier();
  if (lane == 0u) {
    chosen = vec3u(~atomicExchange(&ends[0], 0u), atomicExchange(&ends[1], 0u), 0u);
  }
  return workgroupUniformLoad(&chosen).xy;
}

// The key of the logit at which, from the highest logit of the filter down, the weights reach the goal,
// NO_KEY where nothing has a part. Then what the tokens above it weigh, and those at it together. A token
// counts as one, or weighs so many units: then the key is that of a logit. First by shares of the range
// of the logits, then by shares of the keys that are left, until they are one: logits have few leading
// bits, so that most of a vocabulary would meet in a few bins of keys.
fn select_key(own: Own, f: Filter, counts: bool, unit: f32, goal: u32, lane: u32) -> vec3u {
  let scale = f32(BINS) / max(0.5 * f.peak - 0.5 * f.low, 1e-30);
  for (var j = 0u; j < 16u; j++) {
    let i = 256u * j + lane;
    let v = held[j];
    {
      let token = 4u * i;
      let logit = v[0];
      if (logit >= f.lowest) {
        var weight = 1u;
        if (!counts) { weight = u32(weight_of(f, logit) * unit + 0.5); }
        atomicAdd(&bins[share_of(logit, f.low, scale)], weight);
      }
    }
    {
      let token = 4u * i + 1u;
      let logit = v[1];
      if (logit >= f.lowest) {
        var weight = 1u;
        if (!counts) { weight = u32(weight_of(f, logit) * unit + 0.5); }
        atomicAdd(&bins[share_of(logit, f.low, scale)], weight);
      }
    }
    {
      let token = 4u * i + 2u;
      let logit = v[2];
      if (logit >= f.lowest) {
        var weight = 1u;
        if (!counts) { weight = u32(weight_of(f, logit) * unit + 0.5); }
        atomicAdd(&bins[share_of(logit, f.low, scale)], weight);
      }
    }
    {
      let token = 4u * i + 3u;
      let logit = v[3];
      if (logit >= f.lowest) {
        var weight = 1u;
        if (!counts) { weight = u32(weight_of(f, logit) * unit + 0.5); }
        atomicAdd(&bins[share_of(logit, f.low, scale)], weight);
      }
    }
  }
  var choice = choose_bin(0u, goal, lane);
  var low = NO_KEY;
  var high = 0u;
  for (var j = 0u; j < 16u; j++) {
    let i = 256u * j + lane;
    let v = held[j];
    {
      let token = 4u * i;
      let logit = v[0];
      if (logit >= f.lowest && share_of(logit, f.low, scale) == choice.x) {
        low = min(low, key_of(logit));
        high = max(high, key_of(logit));
      }
    }
    {
      let token = 4u * i + 1u;
      let logit = v[1];
      if (logit >= f.lowest && share_of(logit, f.low, scale) == choice.x) {
        low = min(low, key_of(logit));
        high = max(high, key_of(logit));
      }
    }
    {
      let token = 4u * i + 2u;
      let logit = v[2];
      if (logit >= f.lowest && share_of(logit, f.low, scale) == choice.x) {
        low = min(low, key_of(logit));
        high = max(high, key_of(logit));
      }
    }
    {
      let token = 4u * i + 3u;
      let logit = v[3];
      if (logit >= f.lowest && share_of(logit, f.low, scale) == choice.x) {
        low = min(low, key_of(logit));
        high = max(high, key_of(logit));
      }
    }
  }
  var keys = range_of(low, high, lane);
  while (keys.x < keys.y) {
    let shift = 32u - countLeadingZeros((keys.y - keys.x) / BINS);
    for (var j = 0u; j < 16u; j++) {
      let i = 256u * j + lane;
      let v = held[j];
      {
        let token = 4u * i;
        let logit = v[0];
        if (key_of(logit) - keys.x <= keys.y - keys.x && logit >= f.lowest) {
          var weight = 1u;
          if (!counts) { weight = u32(weight_of(f, logit) * unit + 0.5); }
          atomicAdd(&bins[(key_of(logit) - keys.x) >> shift], weight);
        }
      }
      {
        let token = 4u * i + 1u;
        let logit = v[1];
        if (key_of(logit) - keys.x <= keys.y - keys.x && logit >= f.lowest) {
          var weight = 1u;
          if (!counts) { weight = u32(weight_of(f, logit) * unit + 0.5); }
          atomicAdd(&bins[(key_of(logit) - keys.x) >> shift], weight);
        }
      }
      {
        let token = 4u * i + 2u;
        let logit = v[2];
        if (key_of(logit) - keys.x <= keys.y - keys.x && logit >= f.lowest) {
          var weight = 1u;
          if (!counts) { weight = u32(weight_of(f, logit) * unit + 0.5); }
          atomicAdd(&bins[(key_of(logit) - keys.x) >> shift], weight);
        }
      }
      {
        let token = 4u * i + 3u;
        let logit = v[3];
        if (key_of(logit) - keys.x <= keys.y - keys.x && logit >= f.lowest) {
          var weight = 1u;
          if (!counts) { weight = u32(weight_of(f, logit) * unit + 0.5); }
          atomicAdd(&bins[(key_of(logit) - keys.x) >> shift], weight);
        }
      }
    }
    choice = choose_bin(choice.y, goal, lane);
    keys.x += choice.x << shift;
    keys.y = keys.x + min(keys.y - keys.x, (1u << shift) - 1u);
    // Where all of a bin are kept, its lower end tells them from the others as well as the last of them.
    if (counts && choice.y + choice.z == goal) { break; }
    low = NO_KEY;
    high = 0u;
    for (var j = 0u; j < 16u; j++) {
      let i = 256u * j + lane;
      let v = held[j];
      {
        let token = 4u * i;
        let logit = v[0];
        if (key_of(logit) - keys.x <= keys.y - keys.x && logit >= f.lowest) {
          low = min(low, key_of(logit));
          high = max(high, key_of(logit));
        }
      }
      {
        let token = 4u * i + 1u;
        let logit = v[1];
        if (key_of(logit) - keys.x <= keys.y - keys.x && logit >= f.lowest) {
          low = min(low, key_of(logit));
          high = max(high, key_of(logit));
        }
      }
      {
        let token = 4u * i + 2u;
        let logit = v[2];
        if (key_of(logit) - keys.x <= keys.y - keys.x && logit >= f.lowest) {
          low = min(low, key_of(logit));
          high = max(high, key_of(logit));
        }
      }
      {
        let token = 4u * i + 3u;
        let logit = v[3];
        if (key_of(logit) - keys.x <= keys.y - keys.x && logit >= f.lowest) {
          low = min(low, key_of(logit));
          high = max(high, key_of(logit));
        }
      }
    }
    keys = range_of(low, high, lane);
  }
  return vec3u(keys.x, choice.yz);
}

// All that stays, from the highest to the lowest logit.
fn all_of(own: Own, temperature: f32, lane: u32) -> Filter {
  var best = LEAST;
  var worst = 3.4e38;
  var largest = 0u;
  for (var j = 0u; j < 16u; j++) {
    let i = 256u * j + lane;
    held[j] = logits_of(own, i);
  }
  for (var j = 0u; j < 16u; j++) {
    let i = 256u * j + lane;
    let v = held[j];
    {
      let token = 4u * i;
      let logit = v[0];
      best = max(best, logit);
      worst = min(worst, logit);
      largest = max(largest, magnitude_of(logit));
    }
    {
      let token = 4u * i + 1u;
      let logit = v[1];
      best = max(best, logit);
      worst = min(worst, logit);
      largest = max(largest, magnitude_of(logit));
    }
    {
      let token = 4u * i + 2u;
      let logit = v[2];
      best = max(best, logit);
      worst = min(worst, logit);
      largest = max(largest, magnitude_of(logit));
    }
    {
      let token = 4u * i + 3u;
      let logit = v[3];
      best = max(best, logit);
      worst = min(worst, logit);
      largest = max(largest, magnitude_of(logit));
    }
  }
  let seen = vec4f(best, -max(worst, -3e38), f32(largest >= INFINITE),
      f32(best > LEAST || largest > 0u));
  let all = edges(seen, lane);
  let none = bitcast<f32>(MINUS_INFINITY | (largest & 0u));
  return Filter(all.x, -all.y, none, VOCAB, max(temperature, 1e-5), 1.0, all.z > 0.0, all.w == 0.0);
}

fn total_of(own: Own, f: Filter, lane: u32) -> f32 {
  var kept = 0.0;
  var part = 0.0;
  for (var j = 0u; j < 16u; j++) {
    let i = 256u * j + lane;
    let v = held[j];
    {
      let token = 4u * i;
      let logit = v[0];
      if (stays(f, logit, token)) { part += weight_of(f, logit); }
    }
    {
      let token = 4u * i + 1u;
      let logit = v[1];
      if (stays(f, logit, token)) { part += weight_of(f, logit); }
    }
    {
      let token = 4u * i + 2u;
      let logit = v[2];
      if (stays(f, logit, token)) { part += weight_of(f, logit); }
    }
    {
      let token = 4u * i + 3u;
      let logit = v[3];
      if (stays(f, logit, token)) { part += weight_of(f, logit); }
    }
  }
  return sum(kept + part, lane);
}

// The n-th token, counted from 1, whose logit is this; VOCAB where there are fewer.
fn nth_tie(own: Own, tie: f32, n: u32, lane: u32) -> u32 {
  let begin = min(lane * 16u, QUADS);
  let end = min(begin + 16u, QUADS);
  var members = 0u;
  for (var i = begin; i < end; i++) {
    let v = logits_of(own, i);
    {
      let token = 4u * i;
      let logit = v[0];
      members += u32(logit == tie);
    }
    {
      let token = 4u * i + 1u;
      let logit = v[1];
      members += u32(logit == tie);
    }
    {
      let token = 4u * i + 2u;
      let logit = v[2];
      members += u32(logit == tie);
    }
    {
      let token = 4u * i + 3u;
      let logit = v[3];
      members += u32(logit == tie);
    }
  }
  let earlier = before(members, lane);
  var left = select(0u, n - earlier, n > earlier && n <= earlier + members);
  var found = 0u;
  for (var i = begin; i < end && left > 0u; i++) {
    let v = logits_of(own, i);
    {
      let token = 4u * i;
      let logit = v[0];
      if (left > 0u && logit == tie) {
        left--;
        if (left == 0u) { found = VOCAB - token; }
      }
    }
    {
      let token = 4u * i + 1u;
      let logit = v[1];
      if (left > 0u && logit == tie) {
        left--;
        if (left == 0u) { found = VOCAB - token; }
      }
    }
    {
      let token = 4u * i + 2u;
      let logit = v[2];
      if (left > 0u && logit == tie) {
        left--;
        if (left == 0u) { found = VOCAB - token; }
      }
    }
    {
      let token = 4u * i + 3u;
      let logit = v[3];
      if (left > 0u && logit == tie) {
        left--;
        if (left == 0u) { found = VOCAB - token; }
      }
    }
  }
  return VOCAB - last(found, lane);
}

fn filter_of(own: Own, settings: Sequence, lane: u32) -> Filter {
  var f = all_of(own, settings.temperature, lane);
  if ((settings.flags & GREEDY) != 0u) {
    var found = 0u;
    for (var j = 0u; j < 16u; j++) {
      let i = 256u * j + lane;
      let v = held[j];
      {
        let token = 4u * i;
        let logit = v[0];
        if (logit == f.peak) { found = max(found, VOCAB - token); }
      }
      {
        let token = 4u * i + 1u;
        let logit = v[1];
        if (logit == f.peak) { found = max(found, VOCAB - token); }
      }
      {
        let token = 4u * i + 2u;
        let logit = v[2];
        if (logit == f.peak) { found = max(found, VOCAB - token); }
      }
      {
        let token = 4u * i + 3u;
        let logit = v[3];
        if (logit == f.peak) { found = max(found, VOCAB - token); }
      }
    }
    f.final_token = VOCAB - last(found, lane);
    f.lowest = f.peak;
    return f;
  }
  // Top-k, then top-p: one after the other in the same text, which compiles in half the time.
  for (var stage = 0u; stage < 2u; stage++) {
    let cuts_k = stage == 0u && settings.top_k > 0u && settings.top_k < VOCAB;
    let cuts_p = stage == 1u && settings.top_p < 1.0;
    if (cuts_k || cuts_p) {
      let unit = f32(2147483648) / f.total;
      let limit = u32(max(settings.top_p, 0.0) * f32(2147483648));
      let found = select_key(own, f, cuts_k, unit, select(limit + 1u, settings.top_k, cuts_k),
          lane);
      let threshold = logit_of(found.x);
      let mass = u32(weight_of(f, threshold) * unit + 0.5);
      // Rounding may leave the whole mass at p or below: then nothing is cut.
      if (cuts_k || (found.x != NO_KEY && mass > 0u)) {
        f.lowest = threshold;
        f.low = max(f.low, threshold);
      }
      // Of the tokens at the threshold as many stay as fit before p is passed, and one more.
      let fit = (limit - found.y) / max(mass, 1u) + 1u;
      let nth = for_all(select(0u, fit, cuts_p && found.x != NO_KEY
          && fit < found.z / max(mass, 1u)), lane);
      if (nth > 0u) { f.final_token = nth_tie(own, threshold, nth, lane); }
    }
    if (stage == 0u || cuts_p) { f.total = total_of(own, f, lane); }
  }
  return f;
}

fn mul_high(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let low = a0 * b0;
  let mid = a1 * b0 + (low >> 16u);
  let cross = a0 * b1 + (mid & 0xffffu);
  return a1 * b1 + (mid >> 16u) + (cross >> 16u);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    c = vec4u(
        mul_high(0xcd9e8d57u, c.z) ^ c.y ^ k.x,
        0xcd9e8d57u * c.z,
        mul_high(0xd2511f53u, c.x) ^ c.w ^ k.y,
        0xd2511f53u * c.x,
    );
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

const NOT_DRAWN = 4294967294u;
const GIVEN = 4294967293u;

// -log(1 - v) for v in (0, 1), exact to float precision for small v, where races are won.
fn exponential(bits: u32) -> f32 {
  let v = min((f32(bits) + 0.5) * 2.3283064365386963e-10, 0.9999999403953552);
  let series = v * (1.0 + v * (0.5 + v * (0.3333333333333333 + v * 0.25)));
  return select(-log(1.0 - v), series, v < 0.015625);
}

struct Race { score: f32, winner: u32 }

// Tokens 4 block .. 4 block + 3 with probabilities p enter the race.
fn race(so_far: Race, block: u32, p: vec4f, step: u32, seed: vec2u) -> Race {
  var leader = so_far;
  if (all(p == vec4f())) { return leader; }
  let random = philox(vec4u(block, step, 0u, 0u), seed);
  let scores = p / vec4f(exponential(random[0]), exponential(random[1]), exponential(random[2]),
      exponential(random[3]));
  if (scores[0] > leader.score) { leader = Race(scores[0], 4u * block); }
  if (scores[1] > leader.score) { leader = Race(scores[1], 4u * block + 1u); }
  if (scores[2] > leader.score) { leader = Race(scores[2], 4u * block + 2u); }
  if (scores[3] > leader.score) { leader = Race(scores[3], 4u * block + 3u); }
  return leader;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) lane: u32) {
  let sequence = workgroup.x;
  let settings = sequenceTable[sequence];
  if (settings.row == NO_ROW) { return; }
  let position = rowTable[settings.row].position;
  if (position == NO_ROW) { return; }
  let step = position;
  if (step < settings.given) {
    if (lane == 0u) { drawn[sequence] = GIVEN; }
    return;
  }
  let own = own_of(settings, step);
  let f = filter_of(own, settings, lane);
  var leader = Race();
  for (var j = 0u; j < 16u; j++) {
    let i = 256u * j + lane;
    let v = held[j];
    let p = probs_of(f, i, v);
    leader = race(leader, i, p, step, settings.seed);
  }
  let top = highest(leader.score, lane);
  // The highest bit is free: one more reduction would cost a barrier or more.
  var found = select(0u, 16384u - leader.winner, leader.score == top);
  if (f.broken) { found = 0x80000000u; }
  let best_found = last(found, lane);
  let none = best_found >= 0x80000000u || top <= 0.0;
  if (lane == 0u) { drawn[sequence] = select(16384u - best_found, NO_TOKEN, none); }
}
