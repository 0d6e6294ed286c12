@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [rows, 4 * in_quads]
@group(0) @binding(1) var<storage, read> weight: array<vec4f>; // f32 [4 * quads, 4 * in_quads]
@group(0) @binding(2) var<storage, read> residual: array<vec4f>; // f32 [rows, 4 * out_quads]
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // f32 [rows, 4 * out_quads]
struct Sizes {
  rows: u32,
  in_quads: u32,
  out_quads: u32,
  first_quad: u32,
  quads: u32,
  row_tiles: u32,
  groups: u32,
}

@group(0) @binding(4) var<uniform> sizes: Sizes;

fn put(at: u32, sums: vec4f) { out[at] = sums + residual[at]; }

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let tile = (group.y * s.groups + group.x) * 16u + lane;
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let row = tile % s.row_tiles * 4u;
  let quad = tile / s.row_tiles * 2u;
  if (quad >= s.quads) { return; }
  let row0 = row * s.in_quads;
  let row1 = min(row + 1u, s.rows - 1u) * s.in_quads;
  let row2 = min(row + 2u, s.rows - 1u) * s.in_quads;
  let row3 = min(row + 3u, s.rows - 1u) * s.in_quads;
  let column0 = (4u * quad) * s.in_quads;
  let column1 = (4u * quad + 1u) * s.in_quads;
  let column2 = (4u * quad + 2u) * s.in_quads;
  let column3 = (4u * quad + 3u) * s.in_quads;
  let column4 = min(4u * quad + 4u, 4u * s.quads - 1u) * s.in_quads;
  let column5 = min(4u * quad + 5u, 4u * s.quads - 1u) * s.in_quads;
  let column6 = min(4u * quad + 6u, 4u * s.quads - 1u) * s.in_quads;
  let column7 = min(4u * quad + 7u, 4u * s.quads - 1u) * s.in_quads;
  var sum0_0 = vec4f();
  var sum0_1 = vec4f();
  var sum1_0 = vec4f();
  var sum1_1 = vec4f();
  var sum2_0 = vec4f();
  var sum2_1 = vec4f();
  var sum3_0 = vec4f();
  var sum3_1 = vec4f();
  for (var k = 0u; k < s.in_quads; k++) {
    let w0 = weight[column0 + k];
    let w1 = weight[column1 + k];
    let w2 = weight[column2 + k];
    let w3 = weight[column3 + k];
    let w4 = weight[column4 + k];
    let w5 = weight[column5 + k];
    let w6 = weight[column6 + k];
    let w7 = weight[column7 + k];
    let x0 = x[row0 + k];
    let x1 = x[row1 + k];
    let x2 = x[row2 + k];
    let x3 = x[row3 + k];
    sum0_0 += vec4f(dot(x0, w0), dot(x0, w1), dot(x0, w2), dot(x0, w3));
    sum0_1 += vec4f(dot(x0, w4), dot(x0, w5), dot(x0, w6), dot(x0, w7));
    sum1_0 += vec4f(dot(x1, w0), dot(x1, w1), dot(x1, w2), dot(x1, w3));
    sum1_1 += vec4f(dot(x1, w4), dot(x1, w5), dot(x1, w6), dot(x1, w7));
    sum2_0 += vec4f(dot(x2, w0), dot(x2, w1), dot(x2, w2), dot(x2, w3));
    sum2_1 += vec4f(dot(x2, w4), dot(x2, w5), dot(x2, w6), dot(x2, w7));
    sum3_0 += vec4f(dot(x3, w0), dot(x3, w1), dot(x3, w2), dot(x3, w3));
    sum3_1 += vec4f(dot(x3, w4), dot(x3, w5), dot(x3, w6), dot(x3, w7));
  }
  put(row * s.out_quads + s.first_quad + quad, sum0_0);
  if (quad + 1u < s.quads) { put(row * s.out_quads + s.first_quad + quad + 1u, sum0_1); }
  if (row + 1u < s.rows) { put((row + 1u) * s.out_quads + s.first_quad + quad, sum1_0); }
  if (row + 1u < s.rows && quad + 1u < s.quads) {
    put((row + 1u) * s.out_quads + s.first_quad + quad + 1u, sum1_1);
  }
  if (row + 2u < s.rows) { put((row + 2u) * s.out_quads + s.first_quad + quad, sum2_0); }
  if (row + 2u < s.rows && quad + 1u < s.quads) {
    put((row + 2u) * s.out_quads + s.first_quad + quad + 1u, sum2_1);
  }
  if (row + 3u < s.rows) { put((row + 3u) * s.out_quads + s.first_quad + quad, sum3_0); }
  if (row + 3u < s.rows && quad + 1u < s.quads) {
    put((row + 3u) * s.out_quads + s.first_quad + quad + 1u, sum3_1);
  }
}
