@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [2, 768]
@group(0) @binding(1) var<storage, read> gain: array<vec4f>; // f32 [768]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // f32 [2, 768]
const EPS = f32(0.00001);

fn scale_or_nan(root: f32) -> f32 {
  let bits = bitcast<u32>(root);
  return select(root, bitcast<f32>(bits | 0x7fc00000u), bits == 0u);
}

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn gain_at(row: u32, i: u32) -> vec4f {
  return gain[row * 192u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 192u + i] = v;
}

var<workgroup> sum_scratch: array<f32, 64>;

fn sum(value: f32, lane: u32) -> f32 {
  sum_scratch[lane] = value;
  for (var stride = 32u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) { sum_scratch[lane] = sum_scratch[lane] + sum_scratch[lane + stride]; }
  }
  workgroupBarrier();
  let total = sum_scratch[0];
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = (group.y * 2u + group.x);
  if (row >= 2u) { return; }
  var square = 0.0;
  for (var i = lane; i < 192u; i += 64u) {
    let v = x_at(row, i);
    square += dot(v, v);
  }
  let scale = scale_or_nan(inverseSqrt(sum(square, lane) / f32(768) + EPS));
  for (var i = lane; i < 192u; i += 64u) {
    out_put(row, i, x_at(row, i) * scale * gain_at(0u, i));
  }
}
