@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [1, 64, 16, 16]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // f32 [64]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // f32 [64]
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // f32 [1, 64, 16, 16]
const COUNT = 128u; // of a group, in elements of x
const PLANE = 64u; // of a channel, in elements of x
const EPS = f32(0.000001);

fn scale_or_nan(root: f32) -> f32 {
  let bits = bitcast<u32>(root);
  return select(root, bitcast<f32>(bits | 0x7fc00000u), bits == 0u);
}

fn sum_of_values(start: u32, first: u32) -> f32 {
  var sum = 0.0;
  for (var span = first; span < COUNT; span += 256u) {
    var part = vec4f();
    let end = min(span + 256u, COUNT);
    for (var i = span; i < end; i += 1u) {
      let v = x[start + i];
      part += v;
    }
    sum += dot(part, vec4f(1.0));
  }
  return sum;
}

fn sum_of_squares(start: u32, first: u32, mean: f32) -> f32 {
  var sum = 0.0;
  for (var span = first; span < COUNT; span += 256u) {
    var part = vec4f();
    let end = min(span + 256u, COUNT);
    for (var i = span; i < end; i += 1u) {
      let v = x[start + i];
      part += (v - mean) * (v - mean);
    }
    sum += dot(part, vec4f(1.0));
  }
  return sum;
}

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 8u + group.x) * 4u + lane;
  let first = 0u;
  if (unit >= 32u) { return; }
  let start = unit * COUNT;
  let channel = (unit % 32u) * 2u;
  let mean = sum_of_values(start, first) / f32(512);
  let scale = scale_or_nan(inverseSqrt(sum_of_squares(start, first, mean) / f32(512) + EPS));
  for (var i = first; i < COUNT; i += 1u) {
    let c = channel + i / PLANE;
    let v = (x[start + i] - mean) * scale * weight[c] + bias[c];
    out[start + i] = v / (1.0 + exp(-v));
  }
}
