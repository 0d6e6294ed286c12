@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [4, 2, 768]
@group(0) @binding(1) var<storage, read> residual: array<vec4f>; // f32 [2, 768]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // f32 [2, 768]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 192u + i];
}

fn residual_at(row: u32, i: u32) -> vec4f {
  return residual[row * 192u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 192u + i] = v;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 6u + group.x) * 64u + lane;
  if (unit >= 384u) { return; }
  let row = unit / 192u;
  let i = unit % 192u;
  let sum = x_at(row, i) + x_at(2u + row, i) + x_at(4u + row, i) + x_at(6u + row, i);
  out_put(row, i, sum + residual_at(row, i));
}
