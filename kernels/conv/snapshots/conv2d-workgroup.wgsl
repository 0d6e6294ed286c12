@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [1, 64, 16, 16]
@group(0) @binding(1) var<storage, read> affine: array<vec4f>; // f32 [1, 64, 4]
@group(0) @binding(2) var<storage, read> weight: array<f32>; // f32 [32, 64, 3, 3]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // f32 [32]
@group(0) @binding(4) var<storage, read_write> out: array<f32>; // f32 [1, 32, 16, 16]

fn store(batch: u32, m: u32, n: u32, sum: f32) {
  let at = (batch * 32u + m) * 256u + n;
  out[at] = sum + bias[m];
}

fn weight_at(i: u32) -> f32 {
  return weight[i];
}

fn normed(v: f32, affine: vec4f) -> f32 {
  let h = (v - affine.x) * affine.y + affine.z;
  return h / (1.0 + exp(-h));
}

fn left_at(batch: u32, k: u32, m: u32) -> f32 { return weight_at(m * 576u + k); }

fn right_at(batch: u32, k: u32, n: u32) -> f32 {
  let c = k / 9u;
  let tap = k % 9u;
  let y = i32(n / 16u) + i32(tap / 3u) - 1;
  let column = i32(n % 16u) + i32(tap % 3u) - 1;
  let inside = y >= 0 && y < 16 && column >= 0 && column < 16;
  let from_y = u32(clamp(y, 0, 15));
  let from_x = u32(clamp(column, 0, 15));
  let at = (batch * 64u + c) * 256u + from_y * 16u + from_x;
  return select(0.0, normed(x[at], affine[batch * 64u + c]), inside);
}

var<workgroup> left: array<vec4f, 256>;
var<workgroup> right: array<vec4f, 256>;

fn fill_left(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 256u) {
    let depth = i % 16u;
    let quad = i / 16u;
    let k = first + depth;
    let at = min(k, 575u);
    let line = first_line + quad * 4u;
    let value = vec4f(select(0.0, left_at(batch, at, min(line, 31u)), k < 576u && line <= 31u),
        select(0.0, left_at(batch, at, min(line + 1u, 31u)), k < 576u && line + 1u <= 31u),
        select(0.0, left_at(batch, at, min(line + 2u, 31u)), k < 576u && line + 2u <= 31u),
        select(0.0, left_at(batch, at, min(line + 3u, 31u)), k < 576u && line + 3u <= 31u));
    left[depth * 16u + quad] = value;
  }
}

fn fill_right(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 256u) {
    let depth = i / 16u;
    let quad = i % 16u;
    let k = first + depth;
    let at = min(k, 575u);
    let line = first_line + quad * 4u;
    let value = vec4f(select(0.0, right_at(batch, at, min(line, 255u)), k < 576u && line <= 255u),
        select(0.0, right_at(batch, at, min(line + 1u, 255u)), k < 576u && line + 1u <= 255u),
        select(0.0, right_at(batch, at, min(line + 2u, 255u)), k < 576u && line + 2u <= 255u),
        select(0.0, right_at(batch, at, min(line + 3u, 255u)), k < 576u && line + 3u <= 255u));
    right[depth * 16u + quad] = value;
  }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = lane % 16u;
  let row = lane / 16u;
  var sum0_0 = vec4f();
  var sum1_0 = vec4f();
  var sum2_0 = vec4f();
  var sum3_0 = vec4f();
  let batch = group.z;
  for (var s = 0u; s < 36u; s++) {
    let first = s * 16u;
    fill_left(batch, first, group.y * 64u, lane);
    fill_right(batch, first, group.x * 64u, lane);
    workgroupBarrier();
    for (var depth = 0u; depth < 16u; depth++) {
      let a0 = left[depth * 16u + row];
      let b0 = right[depth * 16u + column];
      sum0_0 += a0[0] * b0;
      sum1_0 += a0[1] * b0;
      sum2_0 += a0[2] * b0;
      sum3_0 += a0[3] * b0;
    }
    workgroupBarrier();
  }
  let first_m = group.y * 64u + row * 4u;
  let first_n = group.x * 64u + column * 4u;
  for (var c = 0u; c < 4u; c++) {
    if (first_m < 32u && first_n + c < 256u) { store(group.z, first_m, first_n + c, sum0_0[c]); }
    if (first_m + 1u < 32u && first_n + c < 256u) {
      store(group.z, first_m + 1u, first_n + c, sum1_0[c]);
    }
    if (first_m + 2u < 32u && first_n + c < 256u) {
      store(group.z, first_m + 2u, first_n + c, sum2_0[c]);
    }
    if (first_m + 3u < 32u && first_n + c < 256u) {
      store(group.z, first_m + 3u, first_n + c, sum3_0[c]);
    }
  }
}
