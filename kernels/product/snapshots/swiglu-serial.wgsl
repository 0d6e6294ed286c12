@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [2, 768]
@group(0) @binding(1) var<storage, read> gain: array<vec4f>; // f32 [768]
@group(0) @binding(2) var<storage, read> w1: array<vec4f>; // f32 [2048, 768]
@group(0) @binding(3) var<storage, read> w3: array<vec4f>; // f32 [2048, 768]
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>; // f32 [2, 2048]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn w1_at(row: u32, i: u32) -> vec4f {
  return w1[row * 192u + i];
}

fn w3_at(row: u32, i: u32) -> vec4f {
  return w3[row * 192u + i];
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

fn silu(v: vec4f) -> vec4f { return v / (1.0 + exp(-v)); }

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 512u + i] = v;
}

fn store(row: u32, i: u32, a: vec4f, b: vec4f) { out_put(row, i, silu(a) * b); }

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

fn store_item(first: u32, unit: u32, item: u32, w1_sum: vec4f, w3_sum: vec4f) {
  let row = first + item;
  let i = unit;
  if (i < 512u) { store(row, i, w1_sum, w3_sum); }
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let tile = group.y * 32u + group.x;
  let first = 0u;
  let columns = tile;
  let team = lane;
  let unit = columns * 16u + team;
  let share = 0u;
  let row0 = min(first, 1u);
  let row1 = min(first + 1u, 1u);
  let column0 = min(unit * 4u, 2047u);
  let column1 = min(unit * 4u + 1u, 2047u);
  let column2 = min(unit * 4u + 2u, 2047u);
  let column3 = min(unit * 4u + 3u, 2047u);
  var square0 = 0.0;
  var square1 = 0.0;
  var w1_sum0_0 = vec4f();
  var w1_sum1_0 = vec4f();
  var w3_sum0_0 = vec4f();
  var w3_sum1_0 = vec4f();
  for (var k = share; k < 192u; k += 1u) {
    let gain = gain_at(0u, k);
    let w1_0 = w1_at(column0, k);
    let w1_1 = w1_at(column1, k);
    let w1_2 = w1_at(column2, k);
    let w1_3 = w1_at(column3, k);
    let w3_0 = w3_at(column0, k);
    let w3_1 = w3_at(column1, k);
    let w3_2 = w3_at(column2, k);
    let w3_3 = w3_at(column3, k);
    let raw0 = x_at(row0, k);
    square0 = add_squares(square0, raw0);
    let v0 = with_gain(raw0, gain);
    w1_sum0_0 += dots(w1_0, w1_1, w1_2, w1_3, v0);
    w3_sum0_0 += dots(w3_0, w3_1, w3_2, w3_3, v0);
    let raw1 = x_at(row1, k);
    square1 = add_squares(square1, raw1);
    let v1 = with_gain(raw1, gain);
    w1_sum1_0 += dots(w1_0, w1_1, w1_2, w1_3, v1);
    w3_sum1_0 += dots(w3_0, w3_1, w3_2, w3_3, v1);
  }
  let scale0 = scale_of(over_span(square0));
  w1_sum0_0 *= scale0;
  w3_sum0_0 *= scale0;
  let scale1 = scale_of(over_span(square1));
  w1_sum1_0 *= scale1;
  w3_sum1_0 *= scale1;
  let item = 0u;
  store_item(first, unit, item, w1_sum0_0, w3_sum0_0);
  store_item(first, unit, item + 1u, w1_sum1_0, w3_sum1_0);
}
