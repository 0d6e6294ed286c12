@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [4, 1, 512, 24, 24]
@group(0) @binding(1) var<storage, read> bias: array<f32>; // f32 [512]
@group(0) @binding(2) var<storage, read> residual: array<f32>; // f32 [1, 512, 24, 24]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // f32 [1, 512, 24, 24]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * 4608u + group.x) * 64u + lane;
  if (i >= 294912u) { return; }
  let sum = x[i] + x[i + 294912u] + x[i + 589824u] + x[i + 884736u];
  out[i] = sum + bias[(i / 576u) % 512u] + residual[i];
}
