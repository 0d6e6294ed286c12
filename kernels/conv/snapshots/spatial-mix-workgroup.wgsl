@group(0) @binding(0) var<storage, read> v: array<f32>; // f32 [1, 512, 24, 24]
@group(0) @binding(1) var<storage, read> probs: array<f32>; // f32 [576, 576]
@group(0) @binding(2) var<storage, read_write> out: array<f32>; // f32 [1, 512, 24, 24]

fn v_at(i: u32) -> f32 {
  return v[i];
}

fn probs_at(i: u32) -> f32 {
  return probs[i];
}

fn store(batch: u32, m: u32, n: u32, sum: f32) {
  let at = (batch * 512u + m) * 576u + n;
  out[at] = sum;
}

fn left_at(batch: u32, k: u32, line: u32) -> f32 {
  return v_at(batch * 294912u + line * 576u + k);
}

fn right_at(batch: u32, k: u32, line: u32) -> f32 {
  return probs_at(batch * 331776u + line * 576u + k);
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
    let value = vec4f(select(0.0, left_at(batch, at, min(line, 511u)), k < 576u && line <= 511u),
        select(0.0, left_at(batch, at, min(line + 1u, 511u)), k < 576u && line + 1u <= 511u),
        select(0.0, left_at(batch, at, min(line + 2u, 511u)), k < 576u && line + 2u <= 511u),
        select(0.0, left_at(batch, at, min(line + 3u, 511u)), k < 576u && line + 3u <= 511u));
    left[depth * 16u + quad] = value;
  }
}

fn fill_right(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 256u) {
    let depth = i % 16u;
    let quad = i / 16u;
    let k = first + depth;
    let at = min(k, 575u);
    let line = first_line + quad * 4u;
    let value = vec4f(select(0.0, right_at(batch, at, min(line, 575u)), k < 576u && line <= 575u),
        select(0.0, right_at(batch, at, min(line + 1u, 575u)), k < 576u && line + 1u <= 575u),
        select(0.0, right_at(batch, at, min(line + 2u, 575u)), k < 576u && line + 2u <= 575u),
        select(0.0, right_at(batch, at, min(line + 3u, 575u)), k < 576u && line + 3u <= 575u));
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
