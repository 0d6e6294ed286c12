@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [514, 768]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>; // f32 [768, 768]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // f32 [514, 768]
const SLICES = 48u;

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn weight_at(row: u32, i: u32) -> vec4f {
  return weight[row * 192u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 192u + i] = v;
}

var<workgroup> left: array<vec4f, 256>;
var<workgroup> right: array<vec4f, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = lane % 16u;
  let line = lane / 16u;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var slice = 0u; slice < SLICES; slice++) {
    let k = slice * 4u + lane % 4u;
    let side = lane / 4u;
    let from_row = group.y * 64u + side;
    let from_column = group.x * 64u + side;
    var a = vec4f();
    var b = vec4f();
    if (k < 192u) {
      if (from_row < 514u) { a = x_at(from_row, k); }
      if (from_column < 768u) { b = weight_at(from_column, k); }
    }
    left[lane] = a;
    right[lane] = b;
    workgroupBarrier();
    for (var s = 0u; s < 4u; s++) {
      let b0 = right[(column * 4u) * 4u + s];
      let b1 = right[(column * 4u + 1u) * 4u + s];
      let b2 = right[(column * 4u + 2u) * 4u + s];
      let b3 = right[(column * 4u + 3u) * 4u + s];
      let a0 = left[(line * 4u) * 4u + s];
      sum0 += vec4f(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
      let a1 = left[(line * 4u + 1u) * 4u + s];
      sum1 += vec4f(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
      let a2 = left[(line * 4u + 2u) * 4u + s];
      sum2 += vec4f(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
      let a3 = left[(line * 4u + 3u) * 4u + s];
      sum3 += vec4f(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    }
    workgroupBarrier();
  }
  if (group.x * 64u + column * 4u >= 768u) { return; }
  let i = group.x * 16u + column;
  let first = group.y * 64u + line * 4u;
  if (first < 514u) { out_put(first, i, sum0); }
  if (first + 1u < 514u) { out_put(first + 1u, i, sum1); }
  if (first + 2u < 514u) { out_put(first + 2u, i, sum2); }
  if (first + 3u < 514u) { out_put(first + 3u, i, sum3); }
}
