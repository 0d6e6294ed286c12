enable subgroups;
@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [batch, k, n]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // f32 [m, k]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // f32 [m]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // f32 [batch, m, n]
struct Sizes {
  m: u32,
  n: u32,
  k: u32,
  tiles_m: u32,
  tiles_n: u32,
  units: u32,
  across: u32,
  left_line: u32,
  left_k: u32,
  left_batch: u32,
  right_line: u32,
  right_k: u32,
  right_batch: u32,
}

@group(0) @binding(4) var<uniform> sizes: Sizes;

fn weight_at(i: u32) -> f32 {
  return weight[i];
}

fn x_at(i: u32) -> f32 {
  return x[i];
}

fn store(batch: u32, m: u32, n: u32, sum: f32) {
  let at = (batch * sizes.m + m) * sizes.n + n;
  out[at] = sum + bias[m];
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let place = lane % 4u;
  // Quads past the end repeat the last tile: quad operations want all invocations.
  let unit = min(((group.y * s.across + group.x) * 16u + lane) / 4u, s.units - 1u);
  let first_n = (unit % s.tiles_n) * 16u;
  let first_m = ((unit / s.tiles_n) % s.tiles_m) * 16u;
  let batch = unit / (s.tiles_n * s.tiles_m);
  let n = first_n + place;
  let m = first_m + place;
  let row0_0 = m * s.left_line;
  let row1_0 = (m + 4u) * s.left_line;
  let row2_0 = (m + 8u) * s.left_line;
  let row3_0 = (m + 12u) * s.left_line;
  let column0 = batch * s.right_batch + n;
  let column1 = batch * s.right_batch + (n + 4u);
  let column2 = batch * s.right_batch + (n + 8u);
  let column3 = batch * s.right_batch + (n + 12u);
  var sum0_0_0 = 0.0;
  var sum0_0_1 = 0.0;
  var sum0_0_2 = 0.0;
  var sum0_0_3 = 0.0;
  var sum0_1_0 = 0.0;
  var sum0_1_1 = 0.0;
  var sum0_1_2 = 0.0;
  var sum0_1_3 = 0.0;
  var sum0_2_0 = 0.0;
  var sum0_2_1 = 0.0;
  var sum0_2_2 = 0.0;
  var sum0_2_3 = 0.0;
  var sum0_3_0 = 0.0;
  var sum0_3_1 = 0.0;
  var sum0_3_2 = 0.0;
  var sum0_3_3 = 0.0;
  var sum1_0_0 = 0.0;
  var sum1_0_1 = 0.0;
  var sum1_0_2 = 0.0;
  var sum1_0_3 = 0.0;
  var sum1_1_0 = 0.0;
  var sum1_1_1 = 0.0;
  var sum1_1_2 = 0.0;
  var sum1_1_3 = 0.0;
  var sum1_2_0 = 0.0;
  var sum1_2_1 = 0.0;
  var sum1_2_2 = 0.0;
  var sum1_2_3 = 0.0;
  var sum1_3_0 = 0.0;
  var sum1_3_1 = 0.0;
  var sum1_3_2 = 0.0;
  var sum1_3_3 = 0.0;
  var sum2_0_0 = 0.0;
  var sum2_0_1 = 0.0;
  var sum2_0_2 = 0.0;
  var sum2_0_3 = 0.0;
  var sum2_1_0 = 0.0;
  var sum2_1_1 = 0.0;
  var sum2_1_2 = 0.0;
  var sum2_1_3 = 0.0;
  var sum2_2_0 = 0.0;
  var sum2_2_1 = 0.0;
  var sum2_2_2 = 0.0;
  var sum2_2_3 = 0.0;
  var sum2_3_0 = 0.0;
  var sum2_3_1 = 0.0;
  var sum2_3_2 = 0.0;
  var sum2_3_3 = 0.0;
  var sum3_0_0 = 0.0;
  var sum3_0_1 = 0.0;
  var sum3_0_2 = 0.0;
  var sum3_0_3 = 0.0;
  var sum3_1_0 = 0.0;
  var sum3_1_1 = 0.0;
  var sum3_1_2 = 0.0;
  var sum3_1_3 = 0.0;
  var sum3_2_0 = 0.0;
  var sum3_2_1 = 0.0;
  var sum3_2_2 = 0.0;
  var sum3_2_3 = 0.0;
  var sum3_3_0 = 0.0;
  var sum3_3_1 = 0.0;
  var sum3_3_2 = 0.0;
  var sum3_3_3 = 0.0;
  let whole = s.k;
  for (var k = 0u; k < whole; k += 4u) {
    let b0_0 = x_at(column0 + k * s.right_k);
    let b0_1 = x_at(column0 + (k + 1u) * s.right_k);
    let b0_2 = x_at(column0 + (k + 2u) * s.right_k);
    let b0_3 = x_at(column0 + (k + 3u) * s.right_k);
    let b1_0 = x_at(column1 + k * s.right_k);
    let b1_1 = x_at(column1 + (k + 1u) * s.right_k);
    let b1_2 = x_at(column1 + (k + 2u) * s.right_k);
    let b1_3 = x_at(column1 + (k + 3u) * s.right_k);
    let b2_0 = x_at(column2 + k * s.right_k);
    let b2_1 = x_at(column2 + (k + 1u) * s.right_k);
    let b2_2 = x_at(column2 + (k + 2u) * s.right_k);
    let b2_3 = x_at(column2 + (k + 3u) * s.right_k);
    let b3_0 = x_at(column3 + k * s.right_k);
    let b3_1 = x_at(column3 + (k + 1u) * s.right_k);
    let b3_2 = x_at(column3 + (k + 2u) * s.right_k);
    let b3_3 = x_at(column3 + (k + 3u) * s.right_k);
    let a0_0_0 = weight_at(row0_0 + k);
    let a0_0_1 = weight_at(row0_0 + k + 1u);
    let a0_0_2 = weight_at(row0_0 + k + 2u);
    let a0_0_3 = weight_at(row0_0 + k + 3u);
    let a1_0_0 = weight_at(row1_0 + k);
    let a1_0_1 = weight_at(row1_0 + k + 1u);
    let a1_0_2 = weight_at(row1_0 + k + 2u);
    let a1_0_3 = weight_at(row1_0 + k + 3u);
    let a2_0_0 = weight_at(row2_0 + k);
    let a2_0_1 = weight_at(row2_0 + k + 1u);
    let a2_0_2 = weight_at(row2_0 + k + 2u);
    let a2_0_3 = weight_at(row2_0 + k + 3u);
    let a3_0_0 = weight_at(row3_0 + k);
    let a3_0_1 = weight_at(row3_0 + k + 1u);
    let a3_0_2 = weight_at(row3_0 + k + 2u);
    let a3_0_3 = weight_at(row3_0 + k + 3u);
    let a0_1_0 = quadSwapX(a0_0_0);
    let a0_1_1 = quadSwapX(a0_0_1);
    let a0_1_2 = quadSwapX(a0_0_2);
    let a0_1_3 = quadSwapX(a0_0_3);
    let a0_2_0 = quadSwapY(a0_0_0);
    let a0_2_1 = quadSwapY(a0_0_1);
    let a0_2_2 = quadSwapY(a0_0_2);
    let a0_2_3 = quadSwapY(a0_0_3);
    let a0_3_0 = quadSwapDiagonal(a0_0_0);
    let a0_3_1 = quadSwapDiagonal(a0_0_1);
    let a0_3_2 = quadSwapDiagonal(a0_0_2);
    let a0_3_3 = quadSwapDiagonal(a0_0_3);
    let a1_1_0 = quadSwapX(a1_0_0);
    let a1_1_1 = quadSwapX(a1_0_1);
    let a1_1_2 = quadSwapX(a1_0_2);
    let a1_1_3 = quadSwapX(a1_0_3);
    let a1_2_0 = quadSwapY(a1_0_0);
    let a1_2_1 = quadSwapY(a1_0_1);
    let a1_2_2 = quadSwapY(a1_0_2);
    let a1_2_3 = quadSwapY(a1_0_3);
    let a1_3_0 = quadSwapDiagonal(a1_0_0);
    let a1_3_1 = quadSwapDiagonal(a1_0_1);
    let a1_3_2 = quadSwapDiagonal(a1_0_2);
    let a1_3_3 = quadSwapDiagonal(a1_0_3);
    let a2_1_0 = quadSwapX(a2_0_0);
    let a2_1_1 = quadSwapX(a2_0_1);
    let a2_1_2 = quadSwapX(a2_0_2);
    let a2_1_3 = quadSwapX(a2_0_3);
    let a2_2_0 = quadSwapY(a2_0_0);
    let a2_2_1 = quadSwapY(a2_0_1);
    let a2_2_2 = quadSwapY(a2_0_2);
    let a2_2_3 = quadSwapY(a2_0_3);
    let a2_3_0 = quadSwapDiagonal(a2_0_0);
    let a2_3_1 = quadSwapDiagonal(a2_0_1);
    let a2_3_2 = quadSwapDiagonal(a2_0_2);
    let a2_3_3 = quadSwapDiagonal(a2_0_3);
    let a3_1_0 = quadSwapX(a3_0_0);
    let a3_1_1 = quadSwapX(a3_0_1);
    let a3_1_2 = quadSwapX(a3_0_2);
    let a3_1_3 = quadSwapX(a3_0_3);
    let a3_2_0 = quadSwapY(a3_0_0);
    let a3_2_1 = quadSwapY(a3_0_1);
    let a3_2_2 = quadSwapY(a3_0_2);
    let a3_2_3 = quadSwapY(a3_0_3);
    let a3_3_0 = quadSwapDiagonal(a3_0_0);
    let a3_3_1 = quadSwapDiagonal(a3_0_1);
    let a3_3_2 = quadSwapDiagonal(a3_0_2);
    let a3_3_3 = quadSwapDiagonal(a3_0_3);
    sum0_0_0 = sum0_0_0 + b0_0 * a0_0_0 + b0_1 * a0_0_1 + b0_2 * a0_0_2 + b0_3 * a0_0_3;
    sum0_0_1 = sum0_0_1 + b1_0 * a0_0_0 + b1_1 * a0_0_1 + b1_2 * a0_0_2 + b1_3 * a0_0_3;
    sum0_0_2 = sum0_0_2 + b2_0 * a0_0_0 + b2_1 * a0_0_1 + b2_2 * a0_0_2 + b2_3 * a0_0_3;
    sum0_0_3 = sum0_0_3 + b3_0 * a0_0_0 + b3_1 * a0_0_1 + b3_2 * a0_0_2 + b3_3 * a0_0_3;
    sum0_1_0 = sum0_1_0 + b0_0 * a0_1_0 + b0_1 * a0_1_1 + b0_2 * a0_1_2 + b0_3 * a0_1_3;
    sum0_1_1 = sum0_1_1 + b1_0 * a0_1_0 + b1_1 * a0_1_1 + b1_2 * a0_1_2 + b1_3 * a0_1_3;
    sum0_1_2 = sum0_1_2 + b2_0 * a0_1_0 + b2_1 * a0_1_1 + b2_2 * a0_1_2 + b2_3 * a0_1_3;
    sum0_1_3 = sum0_1_3 + b3_0 * a0_1_0 + b3_1 * a0_1_1 + b3_2 * a0_1_2 + b3_3 * a0_1_3;
    sum0_2_0 = sum0_2_0 + b0_0 * a0_2_0 + b0_1 * a0_2_1 + b0_2 * a0_2_2 + b0_3 * a0_2_3;
    sum0_2_1 = sum0_2_1 + b1_0 * a0_2_0 + b1_1 * a0_2_1 + b1_2 * a0_2_2 + b1_3 * a0_2_3;
    sum0_2_2 = sum0_2_2 + b2_0 * a0_2_0 + b2_1 * a0_2_1 + b2_2 * a0_2_2 + b2_3 * a0_2_3;
    sum0_2_3 = sum0_2_3 + b3_0 * a0_2_0 + b3_1 * a0_2_1 + b3_2 * a0_2_2 + b3_3 * a0_2_3;
    sum0_3_0 = sum0_3_0 + b0_0 * a0_3_0 + b0_1 * a0_3_1 + b0_2 * a0_3_2 + b0_3 * a0_3_3;
    sum0_3_1 = sum0_3_1 + b1_0 * a0_3_0 + b1_1 * a0_3_1 + b1_2 * a0_3_2 + b1_3 * a0_3_3;
    sum0_3_2 = sum0_3_2 + b2_0 * a0_3_0 + b2_1 * a0_3_1 + b2_2 * a0_3_2 + b2_3 * a0_3_3;
    sum0_3_3 = sum0_3_3 + b3_0 * a0_3_0 + b3_1 * a0_3_1 + b3_2 * a0_3_2 + b3_3 * a0_3_3;
    sum1_0_0 = sum1_0_0 + b0_0 * a1_0_0 + b0_1 * a1_0_1 + b0_2 * a1_0_2 + b0_3 * a1_0_3;
    sum1_0_1 = sum1_0_1 + b1_0 * a1_0_0 + b1_1 * a1_0_1 + b1_2 * a1_0_2 + b1_3 * a1_0_3;
    sum1_0_2 = sum1_0_2 + b2_0 * a1_0_0 + b2_1 * a1_0_1 + b2_2 * a1_0_2 + b2_3 * a1_0_3;
    sum1_0_3 = sum1_0_3 + b3_0 * a1_0_0 + b3_1 * a1_0_1 + b3_2 * a1_0_2 + b3_3 * a1_0_3;
    sum1_1_0 = sum1_1_0 + b0_0 * a1_1_0 + b0_1 * a1_1_1 + b0_2 * a1_1_2 + b0_3 * a1_1_3;
    sum1_1_1 = sum1_1_1 + b1_0 * a1_1_0 + b1_1 * a1_1_1 + b1_2 * a1_1_2 + b1_3 * a1_1_3;
    sum1_1_2 = sum1_1_2 + b2_0 * a1_1_0 + b2_1 * a1_1_1 + b2_2 * a1_1_2 + b2_3 * a1_1_3;
    sum1_1_3 = sum1_1_3 + b3_0 * a1_1_0 + b3_1 * a1_1_1 + b3_2 * a1_1_2 + b3_3 * a1_1_3;
    sum1_2_0 = sum1_2_0 + b0_0 * a1_2_0 + b0_1 * a1_2_1 + b0_2 * a1_2_2 + b0_3 * a1_2_3;
    sum1_2_1 = sum1_2_1 + b1_0 * a1_2_0 + b1_1 * a1_2_1 + b1_2 * a1_2_2 + b1_3 * a1_2_3;
    sum1_2_2 = sum1_2_2 + b2_0 * a1_2_0 + b2_1 * a1_2_1 + b2_2 * a1_2_2 + b2_3 * a1_2_3;
    sum1_2_3 = sum1_2_3 + b3_0 * a1_2_0 + b3_1 * a1_2_1 + b3_2 * a1_2_2 + b3_3 * a1_2_3;
    sum1_3_0 = sum1_3_0 + b0_0 * a1_3_0 + b0_1 * a1_3_1 + b0_2 * a1_3_2 + b0_3 * a1_3_3;
    sum1_3_1 = sum1_3_1 + b1_0 * a1_3_0 + b1_1 * a1_3_1 + b1_2 * a1_3_2 + b1_3 * a1_3_3;
    sum1_3_2 = sum1_3_2 + b2_0 * a1_3_0 + b2_1 * a1_3_1 + b2_2 * a1_3_2 + b2_3 * a1_3_3;
    sum1_3_3 = sum1_3_3 + b3_0 * a1_3_0 + b3_1 * a1_3_1 + b3_2 * a1_3_2 + b3_3 * a1_3_3;
    sum2_0_0 = sum2_0_0 + b0_0 * a2_0_0 + b0_1 * a2_0_1 + b0_2 * a2_0_2 + b0_3 * a2_0_3;
    sum2_0_1 = sum2_0_1 + b1_0 * a2_0_0 + b1_1 * a2_0_1 + b1_2 * a2_0_2 + b1_3 * a2_0_3;
    sum2_0_2 = sum2_0_2 + b2_0 * a2_0_0 + b2_1 * a2_0_1 + b2_2 * a2_0_2 + b2_3 * a2_0_3;
    sum2_0_3 = sum2_0_3 + b3_0 * a2_0_0 + b3_1 * a2_0_1 + b3_2 * a2_0_2 + b3_3 * a2_0_3;
    sum2_1_0 = sum2_1_0 + b0_0 * a2_1_0 + b0_1 * a2_1_1 + b0_2 * a2_1_2 + b0_3 * a2_1_3;
    sum2_1_1 = sum2_1_1 + b1_0 * a2_1_0 + b1_1 * a2_1_1 + b1_2 * a2_1_2 + b1_3 * a2_1_3;
    sum2_1_2 = sum2_1_2 + b2_0 * a2_1_0 + b2_1 * a2_1_1 + b2_2 * a2_1_2 + b2_3 * a2_1_3;
    sum2_1_3 = sum2_1_3 + b3_0 * a2_1_0 + b3_1 * a2_1_1 + b3_2 * a2_1_2 + b3_3 * a2_1_3;
    sum2_2_0 = sum2_2_0 + b0_0 * a2_2_0 + b0_1 * a2_2_1 + b0_2 * a2_2_2 + b0_3 * a2_2_3;
    sum2_2_1 = sum2_2_1 + b1_0 * a2_2_0 + b1_1 * a2_2_1 + b1_2 * a2_2_2 + b1_3 * a2_2_3;
    sum2_2_2 = sum2_2_2 + b2_0 * a2_2_0 + b2_1 * a2_2_1 + b2_2 * a2_2_2 + b2_3 * a2_2_3;
    sum2_2_3 = sum2_2_3 + b3_0 * a2_2_0 + b3_1 * a2_2_1 + b3_2 * a2_2_2 + b3_3 * a2_2_3;
    sum2_3_0 = sum2_3_0 + b0_0 * a2_3_0 + b0_1 * a2_3_1 + b0_2 * a2_3_2 + b0_3 * a2_3_3;
    sum2_3_1 = sum2_3_1 + b1_0 * a2_3_0 + b1_1 * a2_3_1 + b1_2 * a2_3_2 + b1_3 * a2_3_3;
    sum2_3_2 = sum2_3_2 + b2_0 * a2_3_0 + b2_1 * a2_3_1 + b2_2 * a2_3_2 + b2_3 * a2_3_3;
    sum2_3_3 = sum2_3_3 + b3_0 * a2_3_0 + b3_1 * a2_3_1 + b3_2 * a2_3_2 + b3_3 * a2_3_3;
    sum3_0_0 = sum3_0_0 + b0_0 * a3_0_0 + b0_1 * a3_0_1 + b0_2 * a3_0_2 + b0_3 * a3_0_3;
    sum3_0_1 = sum3_0_1 + b1_0 * a3_0_0 + b1_1 * a3_0_1 + b1_2 * a3_0_2 + b1_3 * a3_0_3;
    sum3_0_2 = sum3_0_2 + b2_0 * a3_0_0 + b2_1 * a3_0_1 + b2_2 * a3_0_2 + b2_3 * a3_0_3;
    sum3_0_3 = sum3_0_3 + b3_0 * a3_0_0 + b3_1 * a3_0_1 + b3_2 * a3_0_2 + b3_3 * a3_0_3;
    sum3_1_0 = sum3_1_0 + b0_0 * a3_1_0 + b0_1 * a3_1_1 + b0_2 * a3_1_2 + b0_3 * a3_1_3;
    sum3_1_1 = sum3_1_1 + b1_0 * a3_1_0 + b1_1 * a3_1_1 + b1_2 * a3_1_2 + b1_3 * a3_1_3;
    sum3_1_2 = sum3_1_2 + b2_0 * a3_1_0 + b2_1 * a3_1_1 + b2_2 * a3_1_2 + b2_3 * a3_1_3;
    sum3_1_3 = sum3_1_3 + b3_0 * a3_1_0 + b3_1 * a3_1_1 + b3_2 * a3_1_2 + b3_3 * a3_1_3;
    sum3_2_0 = sum3_2_0 + b0_0 * a3_2_0 + b0_1 * a3_2_1 + b0_2 * a3_2_2 + b0_3 * a3_2_3;
    sum3_2_1 = sum3_2_1 + b1_0 * a3_2_0 + b1_1 * a3_2_1 + b1_2 * a3_2_2 + b1_3 * a3_2_3;
    sum3_2_2 = sum3_2_2 + b2_0 * a3_2_0 + b2_1 * a3_2_1 + b2_2 * a3_2_2 + b2_3 * a3_2_3;
    sum3_2_3 = sum3_2_3 + b3_0 * a3_2_0 + b3_1 * a3_2_1 + b3_2 * a3_2_2 + b3_3 * a3_2_3;
    sum3_3_0 = sum3_3_0 + b0_0 * a3_3_0 + b0_1 * a3_3_1 + b0_2 * a3_3_2 + b0_3 * a3_3_3;
    sum3_3_1 = sum3_3_1 + b1_0 * a3_3_0 + b1_1 * a3_3_1 + b1_2 * a3_3_2 + b1_3 * a3_3_3;
    sum3_3_2 = sum3_3_2 + b2_0 * a3_3_0 + b2_1 * a3_3_1 + b2_2 * a3_3_2 + b2_3 * a3_3_3;
    sum3_3_3 = sum3_3_3 + b3_0 * a3_3_0 + b3_1 * a3_3_1 + b3_2 * a3_3_2 + b3_3 * a3_3_3;
  }
  store(batch, first_m + (place ^ 0u), n, sum0_0_0);
  store(batch, first_m + (place ^ 0u), n + 4u, sum0_0_1);
  store(batch, first_m + (place ^ 0u), n + 8u, sum0_0_2);
  store(batch, first_m + (place ^ 0u), n + 12u, sum0_0_3);
  store(batch, first_m + (place ^ 1u), n, sum0_1_0);
  store(batch, first_m + (place ^ 1u), n + 4u, sum0_1_1);
  store(batch, first_m + (place ^ 1u), n + 8u, sum0_1_2);
  store(batch, first_m + (place ^ 1u), n + 12u, sum0_1_3);
  store(batch, first_m + (place ^ 2u), n, sum0_2_0);
  store(batch, first_m + (place ^ 2u), n + 4u, sum0_2_1);
  store(batch, first_m + (place ^ 2u), n + 8u, sum0_2_2);
  store(batch, first_m + (place ^ 2u), n + 12u, sum0_2_3);
  store(batch, first_m + (place ^ 3u), n, sum0_3_0);
  store(batch, first_m + (place ^ 3u), n + 4u, sum0_3_1);
  store(batch, first_m + (place ^ 3u), n + 8u, sum0_3_2);
  store(batch, first_m + (place ^ 3u), n + 12u, sum0_3_3);
  store(batch, first_m + 4u + (place ^ 0u), n, sum1_0_0);
  store(batch, first_m + 4u + (place ^ 0u), n + 4u, sum1_0_1);
  store(batch, first_m + 4u + (place ^ 0u), n + 8u, sum1_0_2);
  store(batch, first_m + 4u + (place ^ 0u), n + 12u, sum1_0_3);
  store(batch, first_m + 4u + (place ^ 1u), n, sum1_1_0);
  store(batch, first_m + 4u + (place ^ 1u), n + 4u, sum1_1_1);
  store(batch, first_m + 4u + (place ^ 1u), n + 8u, sum1_1_2);
  store(batch, first_m + 4u + (place ^ 1u), n + 12u, sum1_1_3);
  store(batch, first_m + 4u + (place ^ 2u), n, sum1_2_0);
  store(batch, first_m + 4u + (place ^ 2u), n + 4u, sum1_2_1);
  store(batch, first_m + 4u + (place ^ 2u), n + 8u, sum1_2_2);
  store(batch, first_m + 4u + (place ^ 2u), n + 12u, sum1_2_3);
  store(batch, first_m + 4u + (place ^ 3u), n, sum1_3_0);
  store(batch, first_m + 4u + (place ^ 3u), n + 4u, sum1_3_1);
  store(batch, first_m + 4u + (place ^ 3u), n + 8u, sum1_3_2);
  store(batch, first_m + 4u + (place ^ 3u), n + 12u, sum1_3_3);
  store(batch, first_m + 8u + (place ^ 0u), n, sum2_0_0);
  store(batch, first_m + 8u + (place ^ 0u), n + 4u, sum2_0_1);
  store(batch, first_m + 8u + (place ^ 0u), n + 8u, sum2_0_2);
  store(batch, first_m + 8u + (place ^ 0u), n + 12u, sum2_0_3);
  store(batch, first_m + 8u + (place ^ 1u), n, sum2_1_0);
  store(batch, first_m + 8u + (place ^ 1u), n + 4u, sum2_1_1);
  store(batch, first_m + 8u + (place ^ 1u), n + 8u, sum2_1_2);
  store(batch, first_m + 8u + (place ^ 1u), n + 12u, sum2_1_3);
  store(batch, first_m + 8u + (place ^ 2u), n, sum2_2_0);
  store(batch, first_m + 8u + (place ^ 2u), n + 4u, sum2_2_1);
  store(batch, first_m + 8u + (place ^ 2u), n + 8u, sum2_2_2);
  store(batch, first_m + 8u + (place ^ 2u), n + 12u, sum2_2_3);
  store(batch, first_m + 8u + (place ^ 3u), n, sum2_3_0);
  store(batch, first_m + 8u + (place ^ 3u), n + 4u, sum2_3_1);
  store(batch, first_m + 8u + (place ^ 3u), n + 8u, sum2_3_2);
  store(batch, first_m + 8u + (place ^ 3u), n + 12u, sum2_3_3);
  store(batch, first_m + 12u + (place ^ 0u), n, sum3_0_0);
  store(batch, first_m + 12u + (place ^ 0u), n + 4u, sum3_0_1);
  store(batch, first_m + 12u + (place ^ 0u), n + 8u, sum3_0_2);
  store(batch, first_m + 12u + (place ^ 0u), n + 12u, sum3_0_3);
  store(batch, first_m + 12u + (place ^ 1u), n, sum3_1_0);
  store(batch, first_m + 12u + (place ^ 1u), n + 4u, sum3_1_1);
  store(batch, first_m + 12u + (place ^ 1u), n + 8u, sum3_1_2);
  store(batch, first_m + 12u + (place ^ 1u), n + 12u, sum3_1_3);
  store(batch, first_m + 12u + (place ^ 2u), n, sum3_2_0);
  store(batch, first_m + 12u + (place ^ 2u), n + 4u, sum3_2_1);
  store(batch, first_m + 12u + (place ^ 2u), n + 8u, sum3_2_2);
  store(batch, first_m + 12u + (place ^ 2u), n + 12u, sum3_2_3);
  store(batch, first_m + 12u + (place ^ 3u), n, sum3_3_0);
  store(batch, first_m + 12u + (place ^ 3u), n + 4u, sum3_3_1);
  store(batch, first_m + 12u + (place ^ 3u), n + 8u, sum3_3_2);
  store(batch, first_m + 12u + (place ^ 3u), n + 12u, sum3_3_3);
}
