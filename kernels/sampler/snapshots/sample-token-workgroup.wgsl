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
@group(0) @binding(4) var<storage, read_write> logits: array<vec4f>; // f32 [1, 16384]
@group(0) @binding(5) var<storage, read_write> probs: array<vec4f>; // f32 [1, 16384]

fn raw_at(row: u32, i: u32) -> vec4f {
  return raw[row * 4096u + i];
}

fn logits_at(row: u32, i: u32) -> vec4f {
  return logits[row * 4096u + i];
}

fn logits_put(row: u32, i: u32, v: vec4f) {
  logits[row * 4096u + i] = v;
}

fn probs_put(row: u32, i: u32, v: vec4f) {
  probs[row * 4096u + i] = v;
}

fn guided_at(settings: Sequence, step: u32, i: u32) -> vec4f {
  let cond = raw_at(settings.row, i);
  let in_time = settings.cfg_interval < 0 || i32(step) - 1 <= settings.cfg_interval;
  if (settings.uncond_row == NO_ROW || settings.cfg_scale <= 1.0 || !in_time) {
    return cond;
  }
  let uncond = raw_at(settings.uncond_row, i);
  return uncond + (cond - uncond) * settings.cfg_scale;
}

const INFINITE = 0x7f800000u;
const NAN_BITS = 0x7fc00000u;
const NO_TOKEN = 4294967295u;

fn magnitude_of(v: f32) -> u32 { return bitcast<u32>(v) & 0x7fffffffu; }

fn magnitude_of_any(v: vec4f) -> u32 {
  let bits = bitcast<vec4u>(v) & vec4u(0x7fffffffu);
  return max(max(bits.x, bits.y), max(bits.z, bits.w));
}

const MINUS_INFINITY = 0xff800000u;
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

var<workgroup> bins: array<atomic<u32>, 256>;
var<workgroup> chosen: vec2u;
var<workgroup> ties: array<u32, 256>;

// Probability of a logit over that of the highest.
fn weight_of(logit: f32, peak: f32, temperature: f32) -> f32 {
  return exp((logit - peak) / temperature);
}

// Keys order logits; zero and negative zero are equal.
fn key_of(logit: f32) -> u32 {
  let bits = select(bitcast<u32>(logit), 0u, logit == 0.0);
  return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn logit_of(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, (key >> 31u) == 1u));
}

// Which of 256 equal shares of the range a logit is in. Higher logits are never in lower shares.
fn share_of(logit: f32, low: f32, scale: f32) -> u32 {
  // Of NaN no clamp makes an index.
  return min(u32(clamp((0.5 * logit - 0.5 * low) * scale, 0.0, 255.0)), 255u);
}

fn clear_bins(lane: u32) {
  for (var bin = lane; bin < 256u; bin += 256u) { atomicStore(&bins[bin], 0u); }
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
  let begin = min(lane * 16u, QUADS);
  let end = min(begin + 16u, QUADS);
  var members = 0u;
  for (var i = begin; i < end; i++) {
    let v = logits_at(sequence, i);
    {
      let token = 4u * i;
      let logit = v[0];
      members += u32(key_of(logit) == key);
    }
    {
      let token = 4u * i + 1u;
      let logit = v[1];
      members += u32(key_of(logit) == key);
    }
    {
      let token = 4u * i + 2u;
      let logit = v[2];
      members += u32(key_of(logit) == key);
    }
    {
      let token = 4u * i + 3u;
      let logit = v[3];
      members += u32(key_of(logit) == key);
    }
  }
  ties[lane] = members;
  if (lane == 0u) { chosen = vec2u(VOCAB, 0u); }
  workgroupBarrier();
  var before = 0u;
  for (var l = 0u; l < lane; l++) { before += ties[l]; }
  var left = select(0u, n - before, n > before && n <= before + members);
  for (var i = begin; i < end && left > 0u; i++) {
    let v = logits_at(sequence, i);
    {
      let token = 4u * i;
      let logit = v[0];
      if (left > 0u && key_of(logit) == key) {
        left--;
        if (left == 0u) { chosen.x = token; }
      }
    }
    {
      let token = 4u * i + 1u;
      let logit = v[1];
      if (left > 0u && key_of(logit) == key) {
        left--;
        if (left == 0u) { chosen.x = token; }
      }
    }
    {
      let token = 4u * i + 2u;
      let logit = v[2];
      if (left > 0u && key_of(logit) == key) {
        left--;
        if (left == 0u) { chosen.x = token; }
      }
    }
    {
      let token = 4u * i + 3u;
      let logit = v[3];
      if (left > 0u && key_of(logit) == key) {
        left--;
        if (left == 0u) { chosen.x = token; }
      }
    }
  }
  return workgroupUniformLoad(&chosen).x;
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
  for (var c = 0u; c < 4u; c++) {
    let score = p[c] / exponential(random[c]);
    if (score > leader.score) { leader = Race(score, 4u * block + c); }
  }
  return leader;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let sequence = group.x;
  let settings = sequenceTable[sequence];
  if (settings.row == NO_ROW) { return; }
  let position = rowTable[settings.row].position;
  if (position == NO_ROW) { return; }
  let step = position;
  if (step < settings.given) {
    if (lane == 0u) { drawn[sequence] = GIVEN; }
    return;
  }
  let temperature = max(settings.temperature, 1e-5);
  var best = -3.4028234e38;
  var worst = 3.4e38;
  var largest = 0u;
  for (var i = lane; i < QUADS; i += 256u) {
    let v = guided_at(settings, step, i);
    logits_put(sequence, i, v);
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
  let peak = highest(best, lane);
  let low = -highest(-max(worst, -3e38), lane);
  let scale = 256.0 / max(0.5 * peak - 0.5 * low, 1e-30);
  storageBarrier();
  var lowest = 0u;
  var final_token = VOCAB;
  var total = 1.0;
  var kept = 0.0;
  var part = 0.0;
  if ((settings.flags & GREEDY) != 0u) {
    var found = 0u;
    for (var i = lane; i < QUADS; i += 256u) {
      let v = logits_at(sequence, i);
      {
        let token = 4u * i;
        let logit = v[0];
        if (logit == peak) { found = max(found, VOCAB - token); }
      }
      {
        let token = 4u * i + 1u;
        let logit = v[1];
        if (logit == peak) { found = max(found, VOCAB - token); }
      }
      {
        let token = 4u * i + 2u;
        let logit = v[2];
        if (logit == peak) { found = max(found, VOCAB - token); }
      }
      {
        let token = 4u * i + 3u;
        let logit = v[3];
        if (logit == peak) { found = max(found, VOCAB - token); }
      }
    }
    final_token = VOCAB - last(found, lane);
    lowest = key_of(peak);
  } else {
    if (settings.top_k > 0u && settings.top_k < VOCAB) {
      clear_bins(lane);
      for (var i = lane; i < QUADS; i += 256u) {
        let v = logits_at(sequence, i);
        {
          let token = 4u * i;
          let logit = v[0];
          if (true) { atomicAdd(&bins[share_of(logit, low, scale)], 1u); }
        }
        {
          let token = 4u * i + 1u;
          let logit = v[1];
          if (true) { atomicAdd(&bins[share_of(logit, low, scale)], 1u); }
        }
        {
          let token = 4u * i + 2u;
          let logit = v[2];
          if (true) { atomicAdd(&bins[share_of(logit, low, scale)], 1u); }
        }
        {
          let token = 4u * i + 3u;
          let logit = v[3];
          if (true) { atomicAdd(&bins[share_of(logit, low, scale)], 1u); }
        }
      }
      let share = choose_bin(lane, 0u, settings.top_k);
      var key = 0u;
      var above = share.y;
      for (var shift = 24u; shift < 32u; shift -= 8u) {
        clear_bins(lane);
        for (var i = lane; i < QUADS; i += 256u) {
          let v = logits_at(sequence, i);
          {
            let token = 4u * i;
            let logit = v[0];
            let k = key_of(logit);
            let same = shift == 24u || (k >> min(shift + 8u, 31u)) == key;
            if (same && share_of(logit, low, scale) == share.x && true) {
              atomicAdd(&bins[(k >> shift) & 255u], 1u);
            }
          }
          {
            let token = 4u * i + 1u;
            let logit = v[1];
            let k = key_of(logit);
            let same = shift == 24u || (k >> min(shift + 8u, 31u)) == key;
            if (same && share_of(logit, low, scale) == share.x && true) {
              atomicAdd(&bins[(k >> shift) & 255u], 1u);
            }
          }
          {
            let token = 4u * i + 2u;
            let logit = v[2];
            let k = key_of(logit);
            let same = shift == 24u || (k >> min(shift + 8u, 31u)) == key;
            if (same && share_of(logit, low, scale) == share.x && true) {
              atomicAdd(&bins[(k >> shift) & 255u], 1u);
            }
          }
          {
            let token = 4u * i + 3u;
            let logit = v[3];
            let k = key_of(logit);
            let same = shift == 24u || (k >> min(shift + 8u, 31u)) == key;
            if (same && share_of(logit, low, scale) == share.x && true) {
              atomicAdd(&bins[(k >> shift) & 255u], 1u);
            }
          }
        }
        let byte = choose_bin(lane, above, settings.top_k);
        key = (key << 8u) | byte.x;
        above = byte.y;
      }
      lowest = key;
    }
    kept = 0.0;
    part = 0.0;
    for (var i = lane; i < QUADS; i += 256u) {
      let v = logits_at(sequence, i);
      {
        let token = 4u * i;
        let logit = v[0];
        if (key_of(logit) >= lowest) { part += weight_of(logit, peak, temperature); }
      }
      {
        let token = 4u * i + 1u;
        let logit = v[1];
        if (key_of(logit) >= lowest) { part += weight_of(logit, peak, temperature); }
      }
      {
        let token = 4u * i + 2u;
        let logit = v[2];
        if (key_of(logit) >= lowest) { part += weight_of(logit, peak, temperature); }
      }
      {
        let token = 4u * i + 3u;
        let logit = v[3];
        if (key_of(logit) >= lowest) { part += weight_of(logit, peak, temperature); }
      }
      if (i % 8192u >= 7936u) {
        kept += part;
        part = 0.0;
      }
    }
    total = sum(kept + part, lane);
    if (settings.top_p < 1.0) {
      let unit = f32(2147483648) / total;
      let limit = u32(max(settings.top_p, 0.0) * f32(2147483648));
      clear_bins(lane);
      for (var i = lane; i < QUADS; i += 256u) {
        let v = logits_at(sequence, i);
        {
          let token = 4u * i;
          let logit = v[0];
          if (key_of(logit) >= lowest) {
            atomicAdd(&bins[share_of(logit, low, scale)],
                u32(weight_of(logit, peak, temperature) * unit + 0.5));
          }
        }
        {
          let token = 4u * i + 1u;
          let logit = v[1];
          if (key_of(logit) >= lowest) {
            atomicAdd(&bins[share_of(logit, low, scale)],
                u32(weight_of(logit, peak, temperature) * unit + 0.5));
          }
        }
        {
          let token = 4u * i + 2u;
          let logit = v[2];
          if (key_of(logit) >= lowest) {
            atomicAdd(&bins[share_of(logit, low, scale)],
                u32(weight_of(logit, peak, temperature) * unit + 0.5));
          }
        }
        {
          let token = 4u * i + 3u;
          let logit = v[3];
          if (key_of(logit) >= lowest) {
            atomicAdd(&bins[share_of(logit, low, scale)],
                u32(weight_of(logit, peak, temperature) * unit + 0.5));
          }
        }
      }
      let share = choose_bin(lane, 0u, limit + 1u);
      var key = 0u;
      var above = share.y;
      for (var shift = 24u; shift < 32u; shift -= 8u) {
        clear_bins(lane);
        for (var i = lane; i < QUADS; i += 256u) {
          let v = logits_at(sequence, i);
          {
            let token = 4u * i;
            let logit = v[0];
            let k = key_of(logit);
            let same = shift == 24u || (k >> min(shift + 8u, 31u)) == key;
            if (same && share_of(logit, low, scale) == share.x && key_of(logit) >= lowest) {
              atomicAdd(&bins[(k >> shift) & 255u],
                  u32(weight_of(logit, peak, temperature) * unit + 0.5));
            }
          }
          {
            let token = 4u * i + 1u;
            let logit = v[1];
            let k = key_of(logit);
            let same = shift == 24u || (k >> min(shift + 8u, 31u)) == key;
            if (same && share_of(logit, low, scale) == share.x && key_of(logit) >= lowest) {
              atomicAdd(&bins[(k >> shift) & 255u],
                  u32(weight_of(logit, peak, temperature) * unit + 0.5));
            }
          }
          {
            let token = 4u * i + 2u;
            let logit = v[2];
            let k = key_of(logit);
            let same = shift == 24u || (k >> min(shift + 8u, 31u)) == key;
            if (same && share_of(logit, low, scale) == share.x && key_of(logit) >= lowest) {
              atomicAdd(&bins[(k >> shift) & 255u],
                  u32(weight_of(logit, peak, temperature) * unit + 0.5));
            }
          }
          {
            let token = 4u * i + 3u;
            let logit = v[3];
            let k = key_of(logit);
            let same = shift == 24u || (k >> min(shift + 8u, 31u)) == key;
            if (same && share_of(logit, low, scale) == share.x && key_of(logit) >= lowest) {
              atomicAdd(&bins[(k >> shift) & 255u],
                  u32(weight_of(logit, peak, temperature) * unit + 0.5));
            }
          }
        }
        let byte = choose_bin(lane, above, limit + 1u);
        key = (key << 8u) | byte.x;
        above = byte.y;
      }
      let mass = u32(weight_of(logit_of(key), peak, temperature) * unit + 0.5);
      // Of the tokens at the threshold as many stay as fit before p is passed, and one more.
      let fit = (max(limit, above) - above) / max(mass, 1u) + 1u;
      let cut = nth_tie(sequence, lane, key, fit);
      // Rounding may leave the whole mass at p or below: then nothing is cut.
      if (key >= lowest && above <= limit && mass > 0u) {
        lowest = key;
        final_token = cut;
      }
      kept = 0.0;
      part = 0.0;
      for (var i = lane; i < QUADS; i += 256u) {
        let v = logits_at(sequence, i);
        {
          let token = 4u * i;
          let logit = v[0];
          if (key_of(logit) > lowest || (key_of(logit) == lowest && token <= final_token)) {
            part += weight_of(logit, peak, temperature);
          }
        }
        {
          let token = 4u * i + 1u;
          let logit = v[1];
          if (key_of(logit) > lowest || (key_of(logit) == lowest && token <= final_token)) {
            part += weight_of(logit, peak, temperature);
          }
        }
        {
          let token = 4u * i + 2u;
          let logit = v[2];
          if (key_of(logit) > lowest || (key_of(logit) == lowest && token <= final_token)) {
            part += weight_of(logit, peak, temperature);
          }
        }
        {
          let token = 4u * i + 3u;
          let logit = v[3];
          if (key_of(logit) > lowest || (key_of(logit) == lowest && token <= final_token)) {
            part += weight_of(logit, peak, temperature);
          }
        }
        if (i % 8192u >= 7936u) {
          kept += part;
          part = 0.0;
        }
      }
      total = sum(kept + part, lane);
    }
  }
  var leader = Race();
  for (var i = lane; i < QUADS; i += 256u) {
    let v = logits_at(sequence, i);
    var p = vec4f();
    if ((key_of(v[0]) > lowest || (key_of(v[0]) == lowest && 4u * i <= final_token))) {
      p[0] = weight_of(v[0], peak, temperature) / total;
    }
    if ((key_of(v[1]) > lowest || (key_of(v[1]) == lowest && 4u * i + 1u <= final_token))) {
      p[1] = weight_of(v[1], peak, temperature) / total;
    }
    if ((key_of(v[2]) > lowest || (key_of(v[2]) == lowest && 4u * i + 2u <= final_token))) {
      p[2] = weight_of(v[2], peak, temperature) / total;
    }
    if ((key_of(v[3]) > lowest || (key_of(v[3]) == lowest && 4u * i + 3u <= final_token))) {
      p[3] = weight_of(v[3], peak, temperature) / total;
    }
    probs_put(sequence, i, p);
    leader = race(leader, i, p, step, settings.seed);
  }
  let top = highest(leader.score, lane);
  // The highest bit is free: one more reduction would cost a barrier or more.
  var found = select(0u, 16384u - leader.winner, leader.score == top);
  if (largest >= INFINITE) { found = 0x80000000u; }
  let best_found = last(found, lane);
  let none = best_found >= 0x80000000u || top <= 0.0;
  if (lane == 0u) { drawn[sequence] = select(16384u - best_found, NO_TOKEN, none); }
}
