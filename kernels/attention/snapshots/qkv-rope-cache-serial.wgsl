@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [2, 768]
@group(0) @binding(1) var<storage, read> gain: array<vec4f>; // f32 [768]
@group(0) @binding(2) var<storage, read> weight: array<vec4f>; // f32 [2304, 768]
@group(0) @binding(3) var<storage, read> rope: array<vec4f>; // f32 [257, 32, 2]
@group(0) @binding(4) var<storage, read> rowTable: array<Row>; // u32 [2, 4]
@group(0) @binding(5) var<storage, read_write> kv: array<vec4f>; // f32 [2, 2, 12, 257, 64]
@group(0) @binding(6) var<storage, read_write> q: array<vec4f>; // f32 [2, 768]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn weight_at(row: u32, i: u32) -> vec4f {
  return weight[row * 192u + i];
}

alias Values = vec4f;
const EPS = f32(0.00001);

fn scale_or_nan(root: f32) -> f32 {
  let bits = bitcast<u32>(root);
  return select(root, bitcast<f32>(bits | 0x7fc00000u), bits == 0u);
}

fn gain_at(row: u32, i: u32) -> vec4f {
  return gain[row * 192u + i];
}

fn with_gain(v: Values, gain: Values) -> Values {
  return Values(v * gain);
}

fn scale_of(square: f32) -> f32 {
  return scale_or_nan(inverseSqrt(square / f32(768) + EPS));
}

struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}

fn rotate(v: vec4f, position: u32, d: u32) -> vec4f {
  let cs = rope[position * 16u + d];
  return v * cs.xxzz + vec4f(-v.y, v.x, -v.w, v.z) * cs.yyww;
}

fn kv_row(part: u32, slot: u32, head: u32, position: u32) -> u32 {
  return ((part * 2u + slot) * 12u + head) * 257u + position;
}

fn kv_put(row: u32, i: u32, v: vec4f) {
  kv[row * 16u + i] = v;
}

fn q_put(row: u32, i: u32, v: vec4f) {
  q[row * 192u + i] = v;
}

fn store(row: u32, i: u32, a: vec4f) {
  let slot = rowTable[row].slot;
  let position = rowTable[row].position;
  if (position >= 257u) { return; }
  let head = i / 16u;
  let d = i % 16u;
  let turned = rotate(a, position, d);
  if (head < 12u) {
    q_put(row, i, turned);
    return;
  }
  let own = head - 12u;
  let part = own / 12u;
  kv_put(kv_row(part, slot, own % 12u, position), d, select(turned, a, part == 1u));
}

fn dots(a: Values, b: Values, c: Values, d: Values, v: Values) -> vec4f {
  return vec4f(dot(a, v), dot(b, v), dot(c, v), dot(d, v));
}

fn add_squares(sum: f32, v: Values) -> f32 {
  return sum + dot(v, v);
}

fn over_span(share: f32) -> f32 {
  var sum = share;
  return sum;
}

fn store_item(first: u32, unit: u32, item: u32, weight_sum: vec4f) {
  let row = first + item / 2u;
  let i = unit * 2u + item % 2u;
  if (i < 576u) { store(row, i, weight_sum); }
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let tile = group.y * 18u + group.x;
  let first = 0u;
  let columns = tile;
  let team = lane;
  let unit = columns * 16u + team;
  let share = 0u;
  let row0 = min(first, 1u);
  let row1 = min(first + 1u, 1u);
  let column0 = min(unit * 8u, 2303u);
  let column1 = min(unit * 8u + 1u, 2303u);
  let column2 = min(unit * 8u + 2u, 2303u);
  let column3 = min(unit * 8u + 3u, 2303u);
  let column4 = min(unit * 8u + 4u, 2303u);
  let column5 = min(unit * 8u + 5u, 2303u);
  let column6 = min(unit * 8u + 6u, 2303u);
  let column7 = min(unit * 8u + 7u, 2303u);
  var square0 = 0.0;
  var square1 = 0.0;
  var weight_sum0_0 = vec4f();
  var weight_sum0_1 = vec4f();
  var weight_sum1_0 = vec4f();
  var weight_sum1_1 = vec4f();
  for (var k = share; k < 192u; k += 1u) {
    let gain = gain_at(0u, k);
    let weight_0 = weight_at(column0, k);
    let weight_1 = weight_at(column1, k);
    let weight_2 = weight_at(column2, k);
    let weight_3 = weight_at(column3, k);
    let weight_4 = weight_at(column4, k);
    let weight_5 = weight_at(column5, k);
    let weight_6 = weight_at(column6, k);
    let weight_7 = weight_at(column7, k);
    let raw0 = x_at(row0, k);
    square0 = add_squares(square0, raw0);
    let v0 = with_gain(raw0, gain);
    weight_sum0_0 += dots(weight_0, weight_1, weight_2, weight_3, v0);
    weight_sum0_1 += dots(weight_4, weight_5, weight_6, weight_7, v0);
    let raw1 = x_at(row1, k);
    square1 = add_squares(square1, raw1);
    let v1 = with_gain(raw1, gain);
    weight_sum1_0 += dots(weight_0, weight_1, weight_2, weight_3, v1);
    weight_sum1_1 += dots(weight_4, weight_5, weight_6, weight_7, v1);
  }
  let scale0 = scale_of(over_span(square0));
  weight_sum0_0 *= scale0;
  weight_sum0_1 *= scale0;
  let scale1 = scale_of(over_span(square1));
  weight_sum1_0 *= scale1;
  weight_sum1_1 *= scale1;
  let item = 0u;
  store_item(first, unit, item, weight_sum0_0);
  store_item(first, unit, item + 1u, weight_sum0_1);
  store_item(first, unit, item + 2u, weight_sum1_0);
  store_item(first, unit, item + 3u, weight_sum1_1);
}
