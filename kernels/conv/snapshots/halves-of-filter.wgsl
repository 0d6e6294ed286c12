@group(0) @binding(0) var<storage, read> weight: array<f32>; // f32 [128, 128, 3, 3]
@group(0) @binding(1) var<storage, read_write> out: array<vec4u>; // f16 [128, 9, 128]

fn weight_at(i: u32) -> f32 {
  return weight[i];
}

fn value_at(place: u32) -> f32 { return weight_at(place); }

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 288u + group.x) * 64u + lane;
  if (unit >= 18432u) { return; }
  let eight = unit % 16u;
  let tap = (unit / 16u) % 9u;
  let filter_ = unit / 144u;
  let start = (filter_ * 128u + eight * 8u) * 9u + tap;
  out[unit] = vec4u(pack2x16float(vec2f(value_at(start), value_at(start + 9u))),
      pack2x16float(vec2f(value_at(start + 18u), value_at(start + 27u))),
      pack2x16float(vec2f(value_at(start + 36u), value_at(start + 45u))),
      pack2x16float(vec2f(value_at(start + 54u), value_at(start + 63u))));
}
