@group(0) @binding(0) var<storage, read> x: array<vec4f>; // f32 [128, 1280]
@group(0) @binding(1) var<storage, read> places: array<u32>; // u32 [128]
@group(0) @binding(2) var<storage, read_write> table: array<vec4f>; // f32 [3960, 1280]

fn x_at(row: u32, i: u32) -> vec4f {
  return x[row * 320u + i];
}

fn table_put(row: u32, i: u32, v: vec4f) {
  table[row * 320u + i] = v;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 640u + group.x) * 64u + lane;
  let row = unit / 320u;
  if (row >= 128u) { return; }
  let place = places[row];
  if (place >= 3960u) { return; }
  let i = unit % 320u;
  table_put(place, i, x_at(row, i));
}
