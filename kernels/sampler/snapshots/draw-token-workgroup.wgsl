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
@group(0) @binding(0) var<storage, read> probs: array<vec4f>; // f32 [1, 16384]
@group(0) @binding(1) var<storage, read> sequenceTable: array<Sequence>; // u32 [1, 12]
@group(0) @binding(2) var<storage, read> rowTable: array<Row>; // u32 [2, 4]
@group(0) @binding(3) var<storage, read_write> drawn: array<u32>; // u32 [1]

fn probs_at(row: u32, i: u32) -> vec4f {
  return probs[row * 4096u + i];
}

const INFINITE = 0x7f800000u;
const NO_TOKEN = 4294967295u;

fn magnitude_of(v: f32) -> u32 { return bitcast<u32>(v) & 0x7fffffffu; }

fn magnitude_of_any(v: vec4f) -> u32 {
  let bits = bitcast<vec4u>(v) & vec4u(0x7fffffffu);
  return max(max(bits.x, bits.y), max(bits.z, bits.w));
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
  var leader = Race();
  var largest = 0u;
  for (var i = lane; i < 4096u; i += 256u) {
    let p = probs_at(sequence, i);
    largest = max(largest, magnitude_of_any(p));
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
