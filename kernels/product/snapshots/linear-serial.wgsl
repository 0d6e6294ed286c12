@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [2, 768]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>; // f32 [768, 768]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // f32 [2, 768]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn weight_at(row: u32, i: u32) -> vec4f {
  return weight[row * 192u + i];
}

alias Values = vec4f;

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 192u + i] = v;
}

fn store(row: u32, i: u32, a: vec4f) {
  out_put(row, i, a);
}

fn dots(a: Values, b: Values, c: Values, d: Values, v: Values) -> vec4f {
  return vec4f(dot(a, v), dot(b, v), dot(c, v), dot(d, v));
}

fn store_item(first: u32, unit: u32, item: u32, weight_sum: vec4f) {
  let row = first + item / 2u;
  let i = unit * 2u + item % 2u;
  if (i < 192u) { store(row, i, weight_sum); }
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let tile = group.y * 6u + group.x;
  let first = 0u;
  let columns = tile;
  let team = lane;
  let unit = columns * 16u + team;
  let share = 0u;
  let row0 = min(first, 1u);
  let row1 = min(first + 1u, 1u);
  let column0 = min(unit * 8u, 767u);
  let column1 = min(unit * 8u + 1u, 767u);
  let column2 = min(unit * 8u + 2u, 767u);
  let column3 = min(unit * 8u + 3u, 767u);
  let column4 = min(unit * 8u + 4u, 767u);
  let column5 = min(unit * 8u + 5u, 767u);
  let column6 = min(unit * 8u + 6u, 767u);
  let column7 = min(unit * 8u + 7u, 767u);
  var weight_sum0_0 = vec4f();
  var weight_sum0_1 = vec4f();
  var weight_sum1_0 = vec4f();
  var weight_sum1_1 = vec4f();
  for (var k = share; k < 192u; k += 1u) {
    let weight_0 = weight_at(column0, k);
    let weight_1 = weight_at(column1, k);
    let weight_2 = weight_at(column2, k);
    let weight_3 = weight_at(column3, k);
    let weight_4 = weight_at(column4, k);
    let weight_5 = weight_at(column5, k);
    let weight_6 = weight_at(column6, k);
    let weight_7 = weight_at(column7, k);
    let v0 = x_at(row0, k);
    weight_sum0_0 += dots(weight_0, weight_1, weight_2, weight_3, v0);
    weight_sum0_1 += dots(weight_4, weight_5, weight_6, weight_7, v0);
    let v1 = x_at(row1, k);
    weight_sum1_0 += dots(weight_0, weight_1, weight_2, weight_3, v1);
    weight_sum1_1 += dots(weight_4, weight_5, weight_6, weight_7, v1);
  }
  let item = 0u;
  store_item(first, unit, item, weight_sum0_0);
  store_item(first, unit, item + 1u, weight_sum0_1);
  store_item(first, unit, item + 2u, weight_sum1_0);
  store_item(first, unit, item + 3u, weight_sum1_1);
}
