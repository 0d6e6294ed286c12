@group(0) @binding(0) var<storage, read> x: array<vec4u>; // f16 [1, 98, 98, 128]
@group(0) @binding(1) var<storage, read> weight: array<vec4u>; // f16 [128, 9, 128]
@group(0) @binding(2) var<storage, read> bias: array<f32>; // f32 [128]
@group(0) @binding(3) var<storage, read_write> out: array<f32>; // f32 [1, 128, 96, 96]

// Place of the values that a pixel meets at the first tap; then how far on those of place k of a filter are.
fn pixel_at(batch: u32, n: u32) -> u32 {
  return ((batch * 98u + n / 96u) * 98u + n % 96u) * 16u;
}

fn tap_at(k: u32) -> u32 {
  let tap = k / 16u;
  return (tap / 3u * 98u + tap % 3u) * 16u + k % 16u;
}

fn filter_at(batch: u32, m: u32) -> u32 {
  return m * 144u;
}

fn place_of(batch: u32, m: u32, n: u32) -> u32 {
  return (batch * 128u + m) * 9216u + n;
}

fn store_one(batch: u32, m: u32, n: u32, sum: f32) {
  let at = place_of(batch, m, n);
  out[at] = sum + bias[m];
}

fn four_of(eight: vec4u, i: u32) -> vec4f {
  let two = select(eight.xy, eight.zw, (i & 1u) == 1u);
  return vec4f(unpack2x16float(two.x), unpack2x16float(two.y));
}

fn left_at(batch: u32, k: u32, line: u32) -> vec4f {
  return four_of(weight[filter_at(batch, line) + k / 2u], k);
}

fn right_at(batch: u32, k: u32, line: u32) -> vec4f {
  return four_of(x[pixel_at(batch, line) + tap_at(k / 2u)], k);
}

fn store(batch: u32, m: u32, i: u32, sums: vec4f) {
  for (var c = 0u; c < min(4u, 9216u - 4u * i); c++) { store_one(batch, m, 4u * i + c, sums[c]); }
}

var<workgroup> left: array<vec4f, 256>;
var<workgroup> right: array<vec4f, 256>;

fn fill_left(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 256u) {
    let k = first + i % 4u;
    let line = first_line + i / 4u;
    let found = left_at(batch, min(k, 287u), min(line, 127u));
    let value = select(vec4f(), found, k < 288u && line <= 127u);
    left[i] = value;
  }
}

fn fill_right(batch: u32, first: u32, first_line: u32, lane: u32) {
  for (var i = lane; i < 256u; i += 256u) {
    let k = first + i % 4u;
    let line = first_line + i / 4u;
    let found = right_at(batch, min(k, 287u), min(line, 9215u));
    let value = select(vec4f(), found, k < 288u && line <= 9215u);
    right[i] = value;
  }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let column = lane % 16u;
  let row = lane / 16u;
  var sum0_0 = vec4f();
  var sum1_0 = vec4f();
  var sum2_0 = vec4f();
  var sum3_0 = vec4f();
  let batch = group.z;
  for (var s = 0u; s < 72u; s++) {
    let first = s * 4u;
    fill_left(batch, first, group.y * 64u, lane);
    fill_right(batch, first, group.x * 64u, lane);
    workgroupBarrier();
    for (var depth = 0u; depth < 4u; depth++) {
      let b0 = right[(column * 4u) * 4u + depth];
      let b1 = right[(column * 4u + 1u) * 4u + depth];
      let b2 = right[(column * 4u + 2u) * 4u + depth];
      let b3 = right[(column * 4u + 3u) * 4u + depth];
      let a0 = left[(row * 4u) * 4u + depth];
      let a1 = left[(row * 4u + 1u) * 4u + depth];
      let a2 = left[(row * 4u + 2u) * 4u + depth];
      let a3 = left[(row * 4u + 3u) * 4u + depth];
      sum0_0 += vec4f(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
      sum1_0 += vec4f(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
      sum2_0 += vec4f(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
      sum3_0 += vec4f(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    }
    workgroupBarrier();
  }
  let first_m = group.y * 64u + row * 4u;
  let first_n = group.x * 64u + column * 4u;
  if (first_m < 128u && first_n < 9216u) {
    store(group.z, first_m, first_n / 4u, sum0_0);
  }
  if (first_m + 1u < 128u && first_n < 9216u) {
    store(group.z, first_m + 1u, first_n / 4u, sum1_0);
  }
  if (first_m + 2u < 128u && first_n < 9216u) {
    store(group.z, first_m + 2u, first_n / 4u, sum2_0);
  }
  if (first_m + 3u < 128u && first_n < 9216u) {
    store(group.z, first_m + 3u, first_n / 4u, sum3_0);
  }
}
