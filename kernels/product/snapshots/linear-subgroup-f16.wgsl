enable subgroups;
@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [2, 768]
@group(0) @binding(1) var<storage, read> weight: array<vec4u>; // f16 [768, 768]
@group(0) @binding(2) var<storage, read> gain: array<vec4f>; // f32 [768]
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // f32 [2, 768]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn weight_at(row: u32, i: u32) -> mat2x4f {
  let words = weight[row * 96u + i];
  return mat2x4f(vec4f(unpack2x16float(words[0]), unpack2x16float(words[1])),
      vec4f(unpack2x16float(words[2]), unpack2x16float(words[3])));
}

alias Values = mat2x4f;
const EPS = f32(0.00001);

fn scale_or_nan(root: f32) -> f32 {
  let bits = bitcast<u32>(root);
  return select(root, bitcast<f32>(bits | 0x7fc00000u), bits == 0u);
}

fn gain_at(row: u32, i: u32) -> vec4f {
  return gain[row * 192u + i];
}

fn with_gain(v: Values, gain: Values) -> Values {
  return Values(v[0] * gain[0], v[1] * gain[1]);
}

fn scale_of(square: f32) -> f32 {
  return scale_or_nan(inverseSqrt(square / f32(768) + EPS));
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 192u + i] = v;
}

fn store(row: u32, i: u32, a: vec4f) {
  out_put(row, i, a);
}

fn dots(a: Values, b: Values, v: Values) -> vec2f {
  return vec2f(dot(a[0], v[0]) + dot(a[1], v[1]), dot(b[0], v[0]) + dot(b[1], v[1]));
}

fn add_squares(sum: f32, v: Values) -> f32 {
  return sum + dot(v[0], v[0]) + dot(v[1], v[1]);
}

fn over_span(share: f32) -> f32 {
  var sum = share;
  sum += subgroupShuffleXor(sum, 1u);
  sum += subgroupShuffleXor(sum, 2u);
  sum += subgroupShuffleXor(sum, 4u);
  return sum;
}

fn trade(low: vec2f, high: vec2f, keeps_high: bool, mask: u32) -> vec2f {
  return select(low, high, keeps_high) + subgroupShuffleXor(select(high, low, keeps_high), mask);
}

var<workgroup> weight_parts: array<vec2f, 64>;

fn weight_total(row: u32, quad: u32) -> vec4f {
  var total = vec4f();
  for (var part = 0u; part < 16u; part++) {
    let at = part * 4u + row * 2u + quad * 2u;
    total += vec4f(weight_parts[at], weight_parts[at + 1u]);
  }
  return total;
}

var<workgroup> square_parts: array<f32, 32>;

fn square_total(row: u32) -> f32 {
  var total = 0.0;
  for (var part = 0u; part < 16u; part++) { total += square_parts[part * 2u + row]; }
  return total;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let tile = group.y * 192u + group.x;
  let first = 0u;
  let columns = tile;
  let team = (lane / 8u) % 2u;
  let unit = columns * 2u + team;
  let part = lane / 16u;
  let share = part * 8u + lane % 8u;
  let row0 = min(first, 1u);
  let row1 = min(first + 1u, 1u);
  let column0 = min(unit * 2u, 767u);
  let column1 = min(unit * 2u + 1u, 767u);
  let own0 = min(first + min(team, 1u), 1u);
  var square0 = 0.0;
  var weight_sum0_0 = vec2f();
  var weight_sum1_0 = vec2f();
  for (var k = share; k < 96u; k += 128u) {
    let gain = Values(gain_at(0u, 2u * k), gain_at(0u, 2u * k + 1u));
    let weight_0 = with_gain(weight_at(column0, k), gain);
    let weight_1 = with_gain(weight_at(column1, k), gain);
    square0 = add_squares(square0, Values(x_at(own0, 2u * k), x_at(own0, 2u * k + 1u)));
    let v0 = Values(x_at(row0, 2u * k), x_at(row0, 2u * k + 1u));
    weight_sum0_0 += dots(weight_0, weight_1, v0);
    let v1 = Values(x_at(row1, 2u * k), x_at(row1, 2u * k + 1u));
    weight_sum1_0 += dots(weight_0, weight_1, v1);
  }
  let high4 = (lane & 4u) != 0u;
  let weight_kept4_0 = trade(weight_sum0_0, weight_sum1_0, high4, 4u);
  let weight_kept2_0 = weight_kept4_0 + subgroupShuffleXor(weight_kept4_0, 2u);
  let weight_kept1_0 = weight_kept2_0 + subgroupShuffleXor(weight_kept2_0, 1u);
  let item = select(0u, 1u, high4);
  if ((lane & 3u) == 0u) { weight_parts[part * 4u + item * 2u + team] = weight_kept1_0; }
  let all0 = over_span(square0);
  if (lane % 8u == 0u) { square_parts[part * 2u + team] = all0; }
  workgroupBarrier();
  for (var made = lane; made < 2u; made += 256u) {
    let own = made;
    let quad = 0u;
    let row = first + own;
    let i = columns + quad;
    if (i < 192u) { store(row, i, weight_total(own, quad) * scale_of(square_total(own))); }
  }
}
