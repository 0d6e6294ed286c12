@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [1, 128, 384, 384]
@group(0) @binding(1) var<storage, read> affine: array<vec4f>; // f32 [1, 128, 4]
@group(0) @binding(2) var<storage, read> weight: array<f32>; // f32 [3, 128, 3, 3]
@group(0) @binding(3) var<storage, read> bias: array<f32>; // f32 [3]
@group(0) @binding(4) var<storage, read_write> out: array<f32>; // f32 [1, 3, 384, 384]
const IN_CHANNELS = 128u;
const OUT_CHANNELS = 3u;
const HEIGHT = 384u;
const WIDTH = 384u;
var<workgroup> values: array<f32, 2800>; // of a slice of channels
var<workgroup> filters: array<vec3f, 72>; // of each tap, for all output channels

fn normed(v: f32, affine: vec4f) -> f32 {
  let h = (v - affine.x) * affine.y + affine.z;
  return h / (1.0 + exp(-h));
}

fn weight_at(i: u32) -> f32 {
  return weight[i];
}

// Value of a channel of all images, zero outside the map.
fn value_of(channel: u32, y: i32, column: i32) -> f32 {
  if (y < 0 || y >= i32(HEIGHT) || column < 0 || column >= i32(WIDTH)) { return 0.0; }
  return normed(x[(channel * HEIGHT + u32(y)) * WIDTH + u32(column)], affine[channel]);
}

fn fill_values(image: u32, first: u32, count: u32, corner: vec2u, lane: u32) {
  for (var i = lane; i < count * 340u; i += 64u) {
    let c = i / 340u;
    let line = (i / 34u) % 10u;
    let place = i % 34u;
    let y = i32(corner.y + line) - 1;
    let column = i32(corner.x + place) - 1;
    values[(c * 10u + line) * 35u + place] =
        value_of(image * IN_CHANNELS + first + c, y, column);
  }
}

fn fill_filters(first: u32, count: u32, lane: u32) {
  for (var i = lane; i < count * 9u; i += 64u) {
    var filter_ = vec3f();
    for (var o = 0u; o < OUT_CHANNELS; o++) {
      filter_[o] = weight_at((o * IN_CHANNELS + first) * 9u + i);
    }
    filters[i] = filter_;
  }
}

fn store(image: u32, y: u32, column: u32, sum: vec3f) {
  if (y >= HEIGHT || column >= WIDTH) { return; }
  for (var o = 0u; o < OUT_CHANNELS; o++) {
    let at = ((image * OUT_CHANNELS + o) * HEIGHT + y) * WIDTH + column;
    out[at] = sum[o] + bias[o];
  }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let corner = group.xy * vec2u(32u, 8u);
  let place = lane % 8u * 4u;
  let line = lane / 8u;
  var sum0 = vec3f();
  var sum1 = vec3f();
  var sum2 = vec3f();
  var sum3 = vec3f();
  for (var first = 0u; first < IN_CHANNELS; first += 8u) {
    let count = min(8u, IN_CHANNELS - first);
    fill_values(group.z, first, count, corner, lane);
    fill_filters(first, count, lane);
    workgroupBarrier();
    for (var row = 0u; row < count * 3u; row++) {
      let at = (row / 3u * 10u + line + row % 3u) * 35u + place;
      let v0 = values[at];
      let v1 = values[at + 1u];
      let v2 = values[at + 2u];
      let v3 = values[at + 3u];
      let v4 = values[at + 4u];
      let v5 = values[at + 5u];
      let w0 = filters[row * 3u];
      let w1 = filters[row * 3u + 1u];
      let w2 = filters[row * 3u + 2u];
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
    workgroupBarrier();
  }
  store(group.z, corner.y + line, corner.x + place, sum0);
  store(group.z, corner.y + line, corner.x + place + 1u, sum1);
  store(group.z, corner.y + line, corner.x + place + 2u, sum2);
  store(group.z, corner.y + line, corner.x + place + 3u, sum3);
}
