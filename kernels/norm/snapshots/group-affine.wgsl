@group(0) @binding(0) var<storage, read> moments: array<vec2f>; // f32 [1, 32, 36, 2]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // f32 [256]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // f32 [256]
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // f32 [1, 256, 4]
const COUNT = 73728u;
const EPS = f32(0.000001);

fn scale_or_nan(root: f32) -> f32 {
  let bits = bitcast<u32>(root);
  return select(root, bitcast<f32>(bits | 0x7fc00000u), bits == 0u);
}

fn values_of(chunk: u32) -> f32 { return f32(min(2048u, COUNT - chunk * 2048u)); }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 4u + group.x) * 64u + lane;
  if (unit >= 256u) { return; }
  let c = unit % 256u;
  let first = (unit / 8u) * 36u;
  // Means differ little from the first, so that their sum loses nothing.
  let origin = moments[first].x;
  var sum = 0.0;
  for (var i = 0u; i < 36u; i++) {
    sum += (moments[first + i].x - origin) * values_of(i);
  }
  let mean = origin + sum / f32(COUNT);
  var squares = 0.0;
  for (var i = 0u; i < 36u; i++) {
    let m = moments[first + i];
    let d = m.x - mean;
    squares += m.y + d * d * values_of(i);
  }
  let scale = scale_or_nan(inverseSqrt(squares / f32(COUNT) + EPS)) * weight[c];
  out[unit] = vec4f(mean, scale, bias[c], 0.0);
}
