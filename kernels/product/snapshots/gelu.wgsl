@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [128, 1280]
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>; // f32 [128, 1280]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 320u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 320u + i] = v;
}

fn gelu(v: vec4f) -> vec4f {
  return v / (1.0 + exp(-1.5957691216057308 * (v + 0.044715 * v * v * v)));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 640u + group.x) * 64u + lane;
  let row = unit / 320u;
  if (row >= 128u) { return; }
  let i = unit % 320u;
  out_put(row, i, gelu(x_at(row, i)));
}
