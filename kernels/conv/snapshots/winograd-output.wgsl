@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [36, channels, count]
@group(0) @binding(1) var<storage, read> bias: array<f32>; // f32 [channels]
@group(0) @binding(2) var<storage, read> residual: array<f32>; // f32 [images, channels, height, width]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // f32 [images, channels, height, width]
struct Sizes {
  channels: u32,
  height: u32,
  width: u32,
  tilesX: u32,
  tilesY: u32,
  first: u32,
  count: u32,
  units: u32,
  across: u32,
}

@group(0) @binding(4) var<uniform> sizes: Sizes;

fn output_line(a: vec3f, b: vec3f) -> vec4f {
  let s = a.y + a.z;
  let d = a.y - a.z;
  let t = b.x + b.y;
  let e = b.x - b.y;
  return vec4f(
      a.x + s + t,
      f32(0.6666666666666666) * d + f32(1.5) * e,
      f32(0.4444444444444444) * s + f32(2.25) * t,
      f32(0.2962962962962962) * d + f32(3.375) * e + b.z,
  );
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let unit = (group.y * s.across + group.x) * 64u + lane;
  if (unit >= s.units) { return; }
  let tile = s.first + unit % s.count;
  let channel = unit / s.count;
  let first_x = (tile % s.tilesX) * 4u;
  let first_y = ((tile / s.tilesX) % s.tilesY) * 4u;
  let image = tile / (s.tilesX * s.tilesY);
  let m0_0 = x[unit];
  let m0_1 = x[unit + 1u * s.units];
  let m0_2 = x[unit + 2u * s.units];
  let m0_3 = x[unit + 3u * s.units];
  let m0_4 = x[unit + 4u * s.units];
  let m0_5 = x[unit + 5u * s.units];
  let m1_0 = x[unit + 6u * s.units];
  let m1_1 = x[unit + 7u * s.units];
  let m1_2 = x[unit + 8u * s.units];
  let m1_3 = x[unit + 9u * s.units];
  let m1_4 = x[unit + 10u * s.units];
  let m1_5 = x[unit + 11u * s.units];
  let m2_0 = x[unit + 12u * s.units];
  let m2_1 = x[unit + 13u * s.units];
  let m2_2 = x[unit + 14u * s.units];
  let m2_3 = x[unit + 15u * s.units];
  let m2_4 = x[unit + 16u * s.units];
  let m2_5 = x[unit + 17u * s.units];
  let m3_0 = x[unit + 18u * s.units];
  let m3_1 = x[unit + 19u * s.units];
  let m3_2 = x[unit + 20u * s.units];
  let m3_3 = x[unit + 21u * s.units];
  let m3_4 = x[unit + 22u * s.units];
  let m3_5 = x[unit + 23u * s.units];
  let m4_0 = x[unit + 24u * s.units];
  let m4_1 = x[unit + 25u * s.units];
  let m4_2 = x[unit + 26u * s.units];
  let m4_3 = x[unit + 27u * s.units];
  let m4_4 = x[unit + 28u * s.units];
  let m4_5 = x[unit + 29u * s.units];
  let m5_0 = x[unit + 30u * s.units];
  let m5_1 = x[unit + 31u * s.units];
  let m5_2 = x[unit + 32u * s.units];
  let m5_3 = x[unit + 33u * s.units];
  let m5_4 = x[unit + 34u * s.units];
  let m5_5 = x[unit + 35u * s.units];
  let column0 = output_line(vec3f(m0_0, m1_0, m2_0), vec3f(m3_0, m4_0, m5_0));
  let column1 = output_line(vec3f(m0_1, m1_1, m2_1), vec3f(m3_1, m4_1, m5_1));
  let column2 = output_line(vec3f(m0_2, m1_2, m2_2), vec3f(m3_2, m4_2, m5_2));
  let column3 = output_line(vec3f(m0_3, m1_3, m2_3), vec3f(m3_3, m4_3, m5_3));
  let column4 = output_line(vec3f(m0_4, m1_4, m2_4), vec3f(m3_4, m4_4, m5_4));
  let column5 = output_line(vec3f(m0_5, m1_5, m2_5), vec3f(m3_5, m4_5, m5_5));
  let row0 = output_line(vec3f(column0.x, column1.x, column2.x),
      vec3f(column3.x, column4.x, column5.x));
  let row1 = output_line(vec3f(column0.y, column1.y, column2.y),
      vec3f(column3.y, column4.y, column5.y));
  let row2 = output_line(vec3f(column0.z, column1.z, column2.z),
      vec3f(column3.z, column4.z, column5.z));
  let row3 = output_line(vec3f(column0.w, column1.w, column2.w),
      vec3f(column3.w, column4.w, column5.w));
  let line0 = ((image * s.channels + channel) * s.height + first_y) * s.width + first_x;
  let line1 = line0 + s.width;
  let line2 = line1 + s.width;
  let line3 = line2 + s.width;
  let b = bias[channel];
  out[line0] = row0.x + b + residual[line0];
  out[line0 + 1u] = row0.y + b + residual[line0 + 1u];
  out[line0 + 2u] = row0.z + b + residual[line0 + 2u];
  out[line0 + 3u] = row0.w + b + residual[line0 + 3u];
  out[line1] = row1.x + b + residual[line1];
  out[line1 + 1u] = row1.y + b + residual[line1 + 1u];
  out[line1 + 2u] = row1.z + b + residual[line1 + 2u];
  out[line1 + 3u] = row1.w + b + residual[line1 + 3u];
  out[line2] = row2.x + b + residual[line2];
  out[line2 + 1u] = row2.y + b + residual[line2 + 1u];
  out[line2 + 2u] = row2.z + b + residual[line2 + 2u];
  out[line2 + 3u] = row2.w + b + residual[line2 + 3u];
  out[line3] = row3.x + b + residual[line3];
  out[line3 + 1u] = row3.y + b + residual[line3 + 1u];
  out[line3 + 2u] = row3.z + b + residual[line3 + 2u];
  out[line3 + 3u] = row3.w + b + residual[line3 + 3u];
}
