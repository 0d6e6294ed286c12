@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [2, 768]
@group(0) @binding(1) var<storage, read> weight: array<vec4u>; // f16 [768, 768]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // f32 [4, 2, 768]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn weight_at(row: u32, i: u32) -> mat2x4f {
  let words = weight[row * 96u + i];
  return mat2x4f(vec4f(unpack2x16float(words[0]), unpack2x16float(words[1])),
      vec4f(unpack2x16float(words[2]), unpack2x16float(words[3])));
}

alias Values = mat2x4f;

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 192u + i] = v;
}

fn store(row: u32, i: u32, a: vec4f) { out_put(row, i, a); }

fn dots(a: Values, b: Values, c: Values, d: Values, v: Values) -> vec4f {
  return vec4f(dot(a[0], v[0]) + dot(a[1], v[1]), dot(b[0], v[0]) + dot(b[1], v[1]),
      dot(c[0], v[0]) + dot(c[1], v[1]), dot(d[0], v[0]) + dot(d[1], v[1]));
}

var<workgroup> weight_parts: array<vec4f, 128>;

fn weight_total(row: u32, quad: u32) -> vec4f {
  var total = vec4f();
  for (var part = 0u; part < 64u; part++) {
    let at = part * 2u + row + quad;
    total += weight_parts[at];
  }
  return total;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let tile = group.y * 192u + group.x;
  let first = 0u;
  let columns = tile;
  let team = 0u;
  let unit = columns + team;
  let part = lane;
  let share = part;
  let row0 = min(first, 1u);
  let row1 = min(first + 1u, 1u);
  let column0 = min(unit * 4u, 767u);
  let column1 = min(unit * 4u + 1u, 767u);
  let column2 = min(unit * 4u + 2u, 767u);
  let column3 = min(unit * 4u + 3u, 767u);
  var weight_sum0_0 = vec4f();
  var weight_sum1_0 = vec4f();
  for (var k = group.z * 24u + share; k < min((group.z + 1u) * 24u, 96u); k += 64u) {
    let weight_0 = weight_at(column0, k);
    let weight_1 = weight_at(column1, k);
    let weight_2 = weight_at(column2, k);
    let weight_3 = weight_at(column3, k);
    let v0 = Values(x_at(row0, 2u * k), x_at(row0, 2u * k + 1u));
    weight_sum0_0 += dots(weight_0, weight_1, weight_2, weight_3, v0);
    let v1 = Values(x_at(row1, 2u * k), x_at(row1, 2u * k + 1u));
    weight_sum1_0 += dots(weight_0, weight_1, weight_2, weight_3, v1);
  }
  let item = 0u;
  weight_parts[part * 2u + item + team] = weight_sum0_0;
  weight_parts[part * 2u + (item + 1u) + team] = weight_sum1_0;
  workgroupBarrier();
  for (var made = lane; made < 2u; made += 64u) {
    let own = made;
    let quad = 0u;
    let row = first + own;
    let i = columns + quad;
    if (i < 192u) { store(group.z * 2u + row, i, weight_total(own, quad)); }
  }
}
