@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [images, channels, height, width]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // f32 [36, channels, count]
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

@group(0) @binding(2) var<uniform> sizes: Sizes;
struct Six { a: vec3f, b: vec3f }

fn input_line(a: vec3f, b: vec3f) -> Six {
  let e = b.y - f32(2.25) * a.z;
  let o = f32(0.6666666666666666) * (b.x - f32(2.25) * a.y);
  let f = b.y - f32(0.4444444444444444) * a.z;
  let p = f32(1.5) * (b.x - f32(0.4444444444444444) * a.y);
  let first = a.x - f32(2.6944444444444446) * a.z + b.y;
  let last = a.y - f32(2.6944444444444446) * b.x + b.z;
  return Six(vec3f(first, e + o, e - o), vec3f(f + p, f - p, last));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let unit = (group.y * s.across + group.x) * 64u + lane;
  if (unit >= s.units) { return; }
  let tile = s.first + unit % s.count;
  let c = unit / s.count;
  let first_x = i32(tile % s.tilesX) * 4 - 1;
  let first_y = i32((tile / s.tilesX) % s.tilesY) * 4 - 1;
  let image = tile / (s.tilesX * s.tilesY);
  let plane = (image * s.channels + c) * s.height * s.width;
  let height = i32(s.height);
  let width = i32(s.width);
  let y0 = first_y;
  let x0 = first_x;
  let line0 = plane + u32(clamp(y0, 0, height - 1)) * s.width;
  let at0 = u32(clamp(x0, 0, width - 1));
  let row_inside0 = y0 >= 0 && y0 < height;
  let column_inside0 = x0 >= 0 && x0 < width;
  let y1 = first_y + 1;
  let x1 = first_x + 1;
  let line1 = plane + u32(clamp(y1, 0, height - 1)) * s.width;
  let at1 = u32(clamp(x1, 0, width - 1));
  let row_inside1 = y1 >= 0 && y1 < height;
  let column_inside1 = x1 >= 0 && x1 < width;
  let y2 = first_y + 2;
  let x2 = first_x + 2;
  let line2 = plane + u32(clamp(y2, 0, height - 1)) * s.width;
  let at2 = u32(clamp(x2, 0, width - 1));
  let row_inside2 = y2 >= 0 && y2 < height;
  let column_inside2 = x2 >= 0 && x2 < width;
  let y3 = first_y + 3;
  let x3 = first_x + 3;
  let line3 = plane + u32(clamp(y3, 0, height - 1)) * s.width;
  let at3 = u32(clamp(x3, 0, width - 1));
  let row_inside3 = y3 >= 0 && y3 < height;
  let column_inside3 = x3 >= 0 && x3 < width;
  let y4 = first_y + 4;
  let x4 = first_x + 4;
  let line4 = plane + u32(clamp(y4, 0, height - 1)) * s.width;
  let at4 = u32(clamp(x4, 0, width - 1));
  let row_inside4 = y4 >= 0 && y4 < height;
  let column_inside4 = x4 >= 0 && x4 < width;
  let y5 = first_y + 5;
  let x5 = first_x + 5;
  let line5 = plane + u32(clamp(y5, 0, height - 1)) * s.width;
  let at5 = u32(clamp(x5, 0, width - 1));
  let row_inside5 = y5 >= 0 && y5 < height;
  let column_inside5 = x5 >= 0 && x5 < width;
  let d0_0 = select(0.0, x[line0 + at0], row_inside0 && column_inside0);
  let d0_1 = select(0.0, x[line0 + at1], row_inside0 && column_inside1);
  let d0_2 = select(0.0, x[line0 + at2], row_inside0 && column_inside2);
  let d0_3 = select(0.0, x[line0 + at3], row_inside0 && column_inside3);
  let d0_4 = select(0.0, x[line0 + at4], row_inside0 && column_inside4);
  let d0_5 = select(0.0, x[line0 + at5], row_inside0 && column_inside5);
  let d1_0 = select(0.0, x[line1 + at0], row_inside1 && column_inside0);
  let d1_1 = select(0.0, x[line1 + at1], row_inside1 && column_inside1);
  let d1_2 = select(0.0, x[line1 + at2], row_inside1 && column_inside2);
  let d1_3 = select(0.0, x[line1 + at3], row_inside1 && column_inside3);
  let d1_4 = select(0.0, x[line1 + at4], row_inside1 && column_inside4);
  let d1_5 = select(0.0, x[line1 + at5], row_inside1 && column_inside5);
  let d2_0 = select(0.0, x[line2 + at0], row_inside2 && column_inside0);
  let d2_1 = select(0.0, x[line2 + at1], row_inside2 && column_inside1);
  let d2_2 = select(0.0, x[line2 + at2], row_inside2 && column_inside2);
  let d2_3 = select(0.0, x[line2 + at3], row_inside2 && column_inside3);
  let d2_4 = select(0.0, x[line2 + at4], row_inside2 && column_inside4);
  let d2_5 = select(0.0, x[line2 + at5], row_inside2 && column_inside5);
  let d3_0 = select(0.0, x[line3 + at0], row_inside3 && column_inside0);
  let d3_1 = select(0.0, x[line3 + at1], row_inside3 && column_inside1);
  let d3_2 = select(0.0, x[line3 + at2], row_inside3 && column_inside2);
  let d3_3 = select(0.0, x[line3 + at3], row_inside3 && column_inside3);
  let d3_4 = select(0.0, x[line3 + at4], row_inside3 && column_inside4);
  let d3_5 = select(0.0, x[line3 + at5], row_inside3 && column_inside5);
  let d4_0 = select(0.0, x[line4 + at0], row_inside4 && column_inside0);
  let d4_1 = select(0.0, x[line4 + at1], row_inside4 && column_inside1);
  let d4_2 = select(0.0, x[line4 + at2], row_inside4 && column_inside2);
  let d4_3 = select(0.0, x[line4 + at3], row_inside4 && column_inside3);
  let d4_4 = select(0.0, x[line4 + at4], row_inside4 && column_inside4);
  let d4_5 = select(0.0, x[line4 + at5], row_inside4 && column_inside5);
  let d5_0 = select(0.0, x[line5 + at0], row_inside5 && column_inside0);
  let d5_1 = select(0.0, x[line5 + at1], row_inside5 && column_inside1);
  let d5_2 = select(0.0, x[line5 + at2], row_inside5 && column_inside2);
  let d5_3 = select(0.0, x[line5 + at3], row_inside5 && column_inside3);
  let d5_4 = select(0.0, x[line5 + at4], row_inside5 && column_inside4);
  let d5_5 = select(0.0, x[line5 + at5], row_inside5 && column_inside5);
  let column0 = input_line(vec3f(d0_0, d1_0, d2_0), vec3f(d3_0, d4_0, d5_0));
  let column1 = input_line(vec3f(d0_1, d1_1, d2_1), vec3f(d3_1, d4_1, d5_1));
  let column2 = input_line(vec3f(d0_2, d1_2, d2_2), vec3f(d3_2, d4_2, d5_2));
  let column3 = input_line(vec3f(d0_3, d1_3, d2_3), vec3f(d3_3, d4_3, d5_3));
  let column4 = input_line(vec3f(d0_4, d1_4, d2_4), vec3f(d3_4, d4_4, d5_4));
  let column5 = input_line(vec3f(d0_5, d1_5, d2_5), vec3f(d3_5, d4_5, d5_5));
  let row0 = input_line(vec3f(column0.a.x, column1.a.x, column2.a.x),
      vec3f(column3.a.x, column4.a.x, column5.a.x));
  let row1 = input_line(vec3f(column0.a.y, column1.a.y, column2.a.y),
      vec3f(column3.a.y, column4.a.y, column5.a.y));
  let row2 = input_line(vec3f(column0.a.z, column1.a.z, column2.a.z),
      vec3f(column3.a.z, column4.a.z, column5.a.z));
  let row3 = input_line(vec3f(column0.b.x, column1.b.x, column2.b.x),
      vec3f(column3.b.x, column4.b.x, column5.b.x));
  let row4 = input_line(vec3f(column0.b.y, column1.b.y, column2.b.y),
      vec3f(column3.b.y, column4.b.y, column5.b.y));
  let row5 = input_line(vec3f(column0.b.z, column1.b.z, column2.b.z),
      vec3f(column3.b.z, column4.b.z, column5.b.z));
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
