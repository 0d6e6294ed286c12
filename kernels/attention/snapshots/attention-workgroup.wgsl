struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>; // f32 [2, 768]
@group(0) @binding(1) var<storage, read> kv: array<vec4f>; // f32 [2, 2, 12, 257, 64]
@group(0) @binding(2) var<storage, read> rowTable: array<Row>; // u32 [2, 4]
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // f32 [2, 768]
const SCALE = f32(0.125);

fn q_at(row: u32, i: u32) -> vec4f {
  return q[row * 16u + i];
}

fn kv_at(row: u32, i: u32) -> vec4f {
  return kv[row * 16u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 16u + i] = v;
}

fn kv_row(part: u32, slot: u32, head: u32, position: u32) -> u32 {
  return ((part * 2u + slot) * 12u + head) * 257u + position;
}

struct Part {
  pair: u32,
  slot: u32,
  position: u32,
  first: u32,
  count: u32,
  keys: u32,
  values: u32,
}

fn part_of(unit: u32) -> Part {
  let pair = unit;
  let first = 0u;
  let row = pair / 12u;
  let head = pair % 12u;
  let slot = rowTable[row].slot;
  let position = rowTable[row].position;
  if (position >= 257u || first > position) { return Part(); }
  let count = min(position + 1u - first, 257u);
  let keys = kv_row(0u, slot, head, first);
  let values = kv_row(1u, slot, head, first);
  return Part(pair, slot, position, first, count, keys, values);
}

fn result(sum: vec4f, weight: f32) -> vec4f { return sum / weight; }

var<workgroup> query: array<vec4f, 16>;
var<workgroup> scores: array<f32, 257>;
var<workgroup> strips: array<vec4f, 64>;
var<workgroup> highest_scratch: array<f32, 64>;

fn highest(value: f32, lane: u32) -> f32 {
  highest_scratch[lane] = value;
  for (var stride = 32u; stride > 0u; stride >>= 1u) {
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

var<workgroup> total_scratch: array<f32, 64>;

fn total(value: f32, lane: u32) -> f32 {
  total_scratch[lane] = value;
  for (var stride = 32u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) { total_scratch[lane] = total_scratch[lane] + total_scratch[lane + stride]; }
  }
  workgroupBarrier();
  let total = total_scratch[0];
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = group.y * 24u + group.x;
  let unit = index;
  if (unit >= 24u) { return; }
  let at = part_of(unit);
  if (at.count == 0u) { return; }
  if (lane < 16u) { query[lane] = q_at(at.pair, lane); }
  workgroupBarrier();
  let share = 0u;
  for (var j = lane; j < at.count; j += 64u) {
    var product = 0.0;
    for (var i = share; i < 16u; i += 1u) { product += dot(query[i], kv_at(at.keys + j, i)); }
    scores[share * 257u + j] = product;
  }
  workgroupBarrier();
  var own_best = -3.0e38;
  for (var j = lane; j < at.count; j += 64u) {
    var score = scores[j];
    score *= SCALE;
    scores[j] = score;
    own_best = max(own_best, score);
  }
  let best = highest(own_best, lane);
  var own_weight = 0.0;
  for (var j = lane; j < at.count; j += 64u) {
    let p = exp(scores[j] - best);
    scores[j] = p;
    own_weight += p;
  }
  let weight = total(own_weight, lane);
  let i = lane % 16u;
  let strip = lane / 16u;
  if (strip < 4u) {
    var v = vec4f();
    for (var j = strip; j < at.count; j += 4u) { v += scores[j] * kv_at(at.values + j, i); }
    strips[strip * 16u + i] = v;
  }
  workgroupBarrier();
  if (lane < 16u) {
    var v = strips[lane];
    for (var s = 1u; s < 4u; s++) { v += strips[s * 16u + lane]; }
    out_put(unit, lane, result(v, weight));
  }
}
