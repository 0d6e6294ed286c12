@group(0) @binding(0) var<storage, read> gate: array<vec4f>; // f32 [128, 5120]
@group(0) @binding(1) var<storage, read> up: array<vec4f>; // f32 [128, 5120]
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>; // f32 [128, 5120]

fn gate_at(row: u32, i: u32) -> vec4f {
  return gate[row * 1280u + i];
}

fn up_at(row: u32, i: u32) -> vec4f {
  return up[row * 1280u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 1280u + i] = v;
}

fn gelu(v: vec4f) -> vec4f {
  return v / (1.0 + exp(-1.5957691216057308 * (v + 0.044715 * v * v * v)));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 2560u + group.x) * 64u + lane;
  let row = unit / 1280u;
  if (row >= 128u) { return; }
  let i = unit % 1280u;
  out_put(row, i, gelu(gate_at(row, i)) * up_at(row, i));
}
