@group(0) @binding(0) var<storage, read> weight: array<f32>; // f32 [outChannels, inChannels, 3, 3]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // f32 [36, inChannels, outChannels]
struct Sizes {
  inChannels: u32,
  outChannels: u32,
  units: u32,
  across: u32,
}

@group(0) @binding(2) var<uniform> sizes: Sizes;

fn weight_at(i: u32) -> f32 {
  return weight[i];
}

struct Six { a: vec3f, b: vec3f }

fn filter_line(g: vec3f) -> Six {
  let e = f32(-0.6230769230769231) * g.x + f32(-0.2769230769230769) * g.z;
  let o = f32(-0.41538461538461535) * g.y;
  let f = f32(0.12307692307692308) * g.x + f32(0.27692307692307694) * g.z;
  let p = f32(0.18461538461538463) * g.y;
  return Six(vec3f(g.x, e + o, e - o), vec3f(f + p, f - p, g.z));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let unit = (group.y * s.across + group.x) * 64u + lane;
  if (unit >= s.units) { return; }
  let o = unit % s.outChannels;
  let c = unit / s.outChannels;
  let at = (o * s.inChannels + c) * 9u;
  let w0_0 = weight_at(at);
  let w0_1 = weight_at(at + 1u);
  let w0_2 = weight_at(at + 2u);
  let w1_0 = weight_at(at + 3u);
  let w1_1 = weight_at(at + 4u);
  let w1_2 = weight_at(at + 5u);
  let w2_0 = weight_at(at + 6u);
  let w2_1 = weight_at(at + 7u);
  let w2_2 = weight_at(at + 8u);
  let column0 = filter_line(vec3f(w0_0, w1_0, w2_0));
  let column1 = filter_line(vec3f(w0_1, w1_1, w2_1));
  let column2 = filter_line(vec3f(w0_2, w1_2, w2_2));
  let row0 = filter_line(vec3f(column0.a.x, column1.a.x, column2.a.x));
  let row1 = filter_line(vec3f(column0.a.y, column1.a.y, column2.a.y));
  let row2 = filter_line(vec3f(column0.a.z, column1.a.z, column2.a.z));
  let row3 = filter_line(vec3f(column0.b.x, column1.b.x, column2.b.x));
  let row4 = filter_line(vec3f(column0.b.y, column1.b.y, column2.b.y));
  let row5 = filter_line(vec3f(column0.b.z, column1.b.z, column2.b.z));
  out[unit] = row0.a.x;
  out[unit + 1u * s.units] = row0.a.y;
  out[unit + 2u * s.units] = row0.a.z;
  out[unit + 3u * s.units] = row0.b.x;
  out[unit + 4u * s.units] = row0.b.y;
  out[unit + 5u * s.units] = row0.b.z;
  out[unit + 6u * s.units] = row1.a.x;
  out[unit + 7u * s.units] = row1.a.y;
  out[unit + 8u * s.units] = row1.a.z;
  out[unit + 9u * s.units] = row1.b.x;
  out[unit + 10u * s.units] = row1.b.y;
  out[unit + 11u * s.units] = row1.b.z;
  out[unit + 12u * s.units] = row2.a.x;
  out[unit + 13u * s.units] = row2.a.y;
  out[unit + 14u * s.units] = row2.a.z;
  out[unit + 15u * s.units] = row2.b.x;
  out[unit + 16u * s.units] = row2.b.y;
  out[unit + 17u * s.units] = row2.b.z;
  out[unit + 18u * s.units] = row3.a.x;
  out[unit + 19u * s.units] = row3.a.y;
  out[unit + 20u * s.units] = row3.a.z;
  out[unit + 21u * s.units] = row3.b.x;
  out[unit + 22u * s.units] = row3.b.y;
  out[unit + 23u * s.units] = row3.b.z;
  out[unit + 24u * s.units] = row4.a.x;
  out[unit + 25u * s.units] = row4.a.y;
  out[unit + 26u * s.units] = row4.a.z;
  out[unit + 27u * s.units] = row4.b.x;
  out[unit + 28u * s.units] = row4.b.y;
  out[unit + 29u * s.units] = row4.b.z;
  out[unit + 30u * s.units] = row5.a.x;
  out[unit + 31u * s.units] = row5.a.y;
  out[unit + 32u * s.units] = row5.a.z;
  out[unit + 33u * s.units] = row5.b.x;
  out[unit + 34u * s.units] = row5.b.y;
  out[unit + 35u * s.units] = row5.b.z;
}
