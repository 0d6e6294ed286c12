@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [1, 512, 24, 24]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // f32 [512, 512, 3, 3]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // f32 [4, 1, 512, 24, 24]

fn store(batch: u32, m: u32, n: u32, sum: f32) {
  out[(batch * 512u + m) * 576u + n] = sum;
}

fn weight_at(i: u32) -> f32 {
  return weight[i];
}

fn left_at(batch: u32, k: u32, m: u32) -> f32 { return weight_at(m * 4608u + k); }

fn right_at(batch: u32, k: u32, n: u32) -> f32 {
  let c = k / 9u;
  let tap = k % 9u;
  let y = i32(n / 24u) + i32(tap / 3u) - 1;
  let column = i32(n % 24u) + i32(tap % 3u) - 1;
  let inside = y >= 0 && y < 24 && column >= 0 && column < 24;
  let from_y = u32(clamp(y, 0, 23));
  let from_x = u32(clamp(column, 0, 23));
  let at = (batch * 512u + c) * 576u + from_y * 24u + from_x;
  return select(0.0, x[at], inside);
}

var<workgroup> left: array<vec4f, 256>;
var<workgroup> right: array<vec4f, 256>;

fn fill_left(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 256u) {
    let depth = i % 16u;
    let quad = i / 16u;
    let k = first + depth;
    let at = min(k, 4607u);
    let line = first_line + quad * 4u;
    let value = vec4f(select(0.0, left_at(batch, at, min(line, 511u)), k < 4608u && line <= 511u),
        select(0.0, left_at(batch, at, min(line + 1u, 511u)), k < 4608u && line + 1u <= 511u),
        select(0.0, left_at(batch, at, min(line + 2u, 511u)), k < 4608u && line + 2u <= 511u),
        select(0.0, left_at(batch, at, min(line + 3u, 511u)), k < 4608u && line + 3u <= 511u));
    left[depth * 16u + quad] = value;
  }
}

fn fill_right(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 256u) {
    let depth = i / 16u;
    let quad = i % 16u;
    let k = first + depth;
    let at = min(k, 4607u);
    let line = first_line + quad * 4u;
    let value = vec4f(select(0.0, right_at(batch, at, min(line, 575u)), k < 4608u && line <= 575u),
        select(0.0, right_at(batch, at, min(line + 1u, 575u)), k < 4608u && line + 1u <= 575u),
        select(0.0, right_at(batch, at, min(line + 2u, 575u)), k < 4608u && line + 2u <= 575u),
        select(0.0, right_at(batch, at, min(line + 3u, 575u)), k < 4608u && line + 3u <= 575u));
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
  let batch = 0u;
  let part = group.z;
  for (var s = 0u; s < 72u; s++) {
    let first = (part * 72u + s) * 16u;
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
    if (first_m < 512u && first_n + c < 576u) { store(group.z, first_m, first_n + c, sum0_0[c]); }
    if (first_m + 1u < 512u && first_n + c < 576u) {
      store(group.z, first_m + 1u, first_n + c, sum1_0[c]);
    }
    if (first_m + 2u < 512u && first_n + c < 576u) {
      store(group.z, first_m + 2u, first_n + c, sum2_0[c]);
    }
    if (first_m + 3u < 512u && first_n + c < 576u) {
      store(group.z, first_m + 3u, first_n + c, sum3_0[c]);
    }
  }
}
