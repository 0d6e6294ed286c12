@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [1, 64, 16, 16]
@group(0) @binding(1) var<storage, read> weight: array<f32>; // f32 [32, 64, 3, 3]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // f32 [32]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // f32 [1, 32, 16, 16]
const IN_CHANNELS = 64u;
const OUT_CHANNELS = 32u;
const ROWS = 16;
const COLUMNS = 16;
const OUT_ROWS = 16u;
const OUT_COLUMNS = 16u;
const PLANE = 256;
const OUT_PLANE = 256u;

fn value_in(row: i32, column: i32, row_inside: bool) -> f32 {
  return select(0.0, x[row + column], row_inside);
}

fn value_at(row: i32, column: i32, row_inside: bool) -> f32 {
  let value = value_in(row, clamp(column, 0, COLUMNS - 1), row_inside);
  return select(0.0, value, column >= 0 && column < COLUMNS);
}

// Three neighbours in a row of the filter.
fn weights_at(i: u32) -> vec3f {
  return vec3f(weight[i], weight[i + 1u], weight[i + 2u]);
}

fn store(channel: u32, at: u32, count: i32, v: vec4f) {
  if (channel >= OUT_CHANNELS) { return; }
  let b = bias[channel];
  for (var p = 0u; i32(p) < min(count, 4); p++) {
    out[at + p] = v[p] + b;
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 8u + group.x) * 64u + lane;
  if (unit >= 512u) { return; }
  let out_x = (unit % 4u) * 4u;
  let out_y = (unit / 4u) % OUT_ROWS;
  let channel = ((unit / (4u * OUT_ROWS)) % 8u) * 4u;
  let image = unit / (4u * OUT_ROWS * 8u);
  let first = i32(out_x);
  var filter0 = min(channel, OUT_CHANNELS - 1u) * IN_CHANNELS * 9u;
  var filter1 = min(channel + 1u, OUT_CHANNELS - 1u) * IN_CHANNELS * 9u;
  var filter2 = min(channel + 2u, OUT_CHANNELS - 1u) * IN_CHANNELS * 9u;
  var filter3 = min(channel + 3u, OUT_CHANNELS - 1u) * IN_CHANNELS * 9u;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  var plane = i32(image * IN_CHANNELS) * PLANE;
  for (var c = 0u; c < IN_CHANNELS; c++) {
    for (var ky = 0; ky < 3; ky++) {
      let y = i32(out_y) + ky - 1;
      let row_inside = y >= 0 && y < ROWS;
      let row = plane + clamp(y, 0, ROWS - 1) * COLUMNS;
      let f0 = weights_at(filter0);
      filter0 += 3u;
      let f1 = weights_at(filter1);
      filter1 += 3u;
      let f2 = weights_at(filter2);
      filter2 += 3u;
      let f3 = weights_at(filter3);
      filter3 += 3u;
      let w0 = vec4f(f0[0],f1[0],f2[0],f3[0]);
      let w1 = vec4f(f0[1],f1[1],f2[1],f3[1]);
      let w2 = vec4f(f0[2],f1[2],f2[2],f3[2]);
      let v0 = value_at(row, first + -1, row_inside);
      let v1 = value_in(row, first, row_inside);
      let v2 = value_in(row, first + 1, row_inside);
      let v3 = value_in(row, first + 2, row_inside);
      let v4 = value_in(row, first + 3, row_inside);
      let v5 = value_at(row, first + 4, row_inside);
      sum0 += v0 * w0;
      sum0 += v1 * w1;
      sum0 += v2 * w2;
      sum1 += v1 * w0;
      sum1 += v2 * w1;
      sum1 += v3 * w2;
      sum2 += v2 * w0;
      sum2 += v3 * w1;
      sum2 += v4 * w2;
      sum3 += v3 * w0;
      sum3 += v4 * w1;
      sum3 += v5 * w2;
    }
    plane += PLANE;
  }
  let count = i32(OUT_COLUMNS - out_x);
  let at = (image * OUT_CHANNELS + channel) * OUT_PLANE + out_y * OUT_COLUMNS + out_x;
  store(channel, at, count, vec4f(sum0[0],sum1[0],sum2[0],sum3[0]));
  store(channel + 1u, at + 1u * OUT_PLANE, count, vec4f(sum0[1],sum1[1],sum2[1],sum3[1]));
  store(channel + 2u, at + 2u * OUT_PLANE, count, vec4f(sum0[2],sum1[2],sum2[2],sum3[2]));
  store(channel + 3u, at + 3u * OUT_PLANE, count, vec4f(sum0[3],sum1[3],sum2[3],sum3[3]));
}
