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

alias Values = vec4f;
alias Scores = f32;
alias Columns = u32;

fn add_product(sum: f32, a: Values, b: Values) -> f32 { return sum + dot(a, b); }

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 6u + group.x) * 4u + lane;
  if (unit >= 24u) { return; }
  let slot = rowTable[unit / 12u].slot;
  let position = rowTable[unit / 12u].position;
  if (position >= 257u) { return; }
  let head = unit % 12u;
  let keys = kv_row(0u, slot, head, 0u);
  let values = kv_row(1u, slot, head, 0u);
  let q0 = Values(q_at(unit, 0u));
  let q1 = Values(q_at(unit, 1u));
  let q2 = Values(q_at(unit, 2u));
  let q3 = Values(q_at(unit, 3u));
  var sum0 = Values();
  var sum1 = Values();
  var sum2 = Values();
  var sum3 = Values();
  var best = f32(-3.0e38);
  var weight = 0.0;
  for (var j = 0u; j <= position; j += 1u) {
    let columns = j;
    var scores: Scores;
    scores = add_product(0.0, q0, kv_at(keys + columns, 0u));
    scores = add_product(scores, q1, kv_at(keys + columns, 1u));
    scores = add_product(scores, q2, kv_at(keys + columns, 2u));
    scores = add_product(scores, q3, kv_at(keys + columns, 3u));
    scores *= SCALE;
    let top = max(best, scores);
    let fade = exp(best - top);
    let p = exp(scores - top);
    best = top;
    weight = weight * fade + p;
    sum0 = sum0 * fade + p * kv_at(values + columns, 0u);
    sum1 = sum1 * fade + p * kv_at(values + columns, 1u);
    sum2 = sum2 * fade + p * kv_at(values + columns, 2u);
    sum3 = sum3 * fade + p * kv_at(values + columns, 3u);
  }
  out_put(unit, 0u, sum0 / weight);
  out_put(unit, 1u, sum1 / weight);
  out_put(unit, 2u, sum2 / weight);
  out_put(unit, 3u, sum3 / weight);
}
