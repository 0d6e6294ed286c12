struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>; // f32 [2, 192]
@group(0) @binding(1) var<storage, read> kv: array<vec4f>; // f32 [2, 2, 12, 257, 16]
@group(0) @binding(2) var<storage, read> rowTable: array<Row>; // u32 [2, 4]
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // f32 [2, 192]
const SCALE = f32(0.25);

fn q_at(row: u32, i: u32) -> vec4f {
  return q[row * 4u + i];
}

fn kv_at(row: u32, i: u32) -> vec4f {
  return kv[row * 4u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 4u + i] = v;
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

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let index = group.y * 6u + group.x;
  let unit = index * 4u + lane;
  if (unit >= 24u) { return; }
  let at = part_of(unit);
  if (at.count == 0u) { return; }
  let q0 = q_at(at.pair, 0u);
  var sum0 = vec4f();
  let q1 = q_at(at.pair, 1u);
  var sum1 = vec4f();
  let q2 = q_at(at.pair, 2u);
  var sum2 = vec4f();
  let q3 = q_at(at.pair, 3u);
  var sum3 = vec4f();
  var best = -3.0e38;
  var weight = 0.0;
  for (var j = 0u; j < at.count; j++) {
    var score = 0.0;
    score += dot(q0, kv_at(at.keys + j, 0u));
    score += dot(q1, kv_at(at.keys + j, 1u));
    score += dot(q2, kv_at(at.keys + j, 2u));
    score += dot(q3, kv_at(at.keys + j, 3u));
    score *= SCALE;
    let top = max(best, score);
    let fade = exp(best - top);
    let p = exp(score - top);
    best = top;
    weight = weight * fade + p;
    sum0 = sum0 * fade + p * kv_at(at.values + j, 0u);
    sum1 = sum1 * fade + p * kv_at(at.values + j, 1u);
    sum2 = sum2 * fade + p * kv_at(at.values + j, 2u);
    sum3 = sum3 * fade + p * kv_at(at.values + j, 3u);
  }
  out_put(unit, 0u, result(sum0, weight));
  out_put(unit, 1u, result(sum1, weight));
  out_put(unit, 2u, result(sum2, weight));
  out_put(unit, 3u, result(sum3, weight));
}
