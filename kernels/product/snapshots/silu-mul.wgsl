@group(0) @binding(0) var<storage, read> gate: array<vec4f>; // f32 [512, 2048]
@group(0) @binding(1) var<storage, read> up: array<vec4f>; // f32 [512, 2048]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // f32 [512, 2048]

fn gate_at(row: u32, i: u32) -> vec4f {
  return gate[row * 512u + i];
}

fn up_at(row: u32, i: u32) -> vec4f {
  return up[row * 512u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 512u + i] = v;
}

fn silu(v: vec4f) -> vec4f { return v / (1.0 + exp(-v)); }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 4096u + group.x) * 64u + lane;
  let row = unit / 512u;
  if (row >= 512u) { return; }
  let i = unit % 512u;
  out_put(row, i, silu(gate_at(row, i)) * up_at(row, i));
}
