@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [1, 256, 96, 96]
@group(0) @binding(1) var<storage, read_write> out: array<vec2f>; // f32 [1, 32, 36, 2]
var<workgroup> total_scratch: array<f32, 64>;

fn total(value: f32, lane: u32) -> f32 {
  total_scratch[lane] = value;
  for (var stride = 32u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) { total_scratch[lane] = total_scratch[lane] + total_scratch[lane + stride]; }
  }
  workgroupBarrier();
  let total = total_scratch[0];
  workgroupBarrier();
  return total;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = group.y * 1152u + group.x;
  let first = lane;
  if (unit >= 1152u) { return; }
  let chunk = unit % 36u;
  let start = (unit / 36u) * 73728u + chunk * 2048u;
  let values = min(2048u, 73728u - chunk * 2048u);
  // Values differ little from the first beside their mean, so that their sum loses less.
  let origin = x[start];
  let v0 = x[start + min(first, values - 1u)];
  let v1 = x[start + min(first + 64u, values - 1u)];
  let v2 = x[start + min(first + 128u, values - 1u)];
  let v3 = x[start + min(first + 192u, values - 1u)];
  let v4 = x[start + min(first + 256u, values - 1u)];
  let v5 = x[start + min(first + 320u, values - 1u)];
  let v6 = x[start + min(first + 384u, values - 1u)];
  let v7 = x[start + min(first + 448u, values - 1u)];
  let v8 = x[start + min(first + 512u, values - 1u)];
  let v9 = x[start + min(first + 576u, values - 1u)];
  let v10 = x[start + min(first + 640u, values - 1u)];
  let v11 = x[start + min(first + 704u, values - 1u)];
  let v12 = x[start + min(first + 768u, values - 1u)];
  let v13 = x[start + min(first + 832u, values - 1u)];
  let v14 = x[start + min(first + 896u, values - 1u)];
  let v15 = x[start + min(first + 960u, values - 1u)];
  let v16 = x[start + min(first + 1024u, values - 1u)];
  let v17 = x[start + min(first + 1088u, values - 1u)];
  let v18 = x[start + min(first + 1152u, values - 1u)];
  let v19 = x[start + min(first + 1216u, values - 1u)];
  let v20 = x[start + min(first + 1280u, values - 1u)];
  let v21 = x[start + min(first + 1344u, values - 1u)];
  let v22 = x[start + min(first + 1408u, values - 1u)];
  let v23 = x[start + min(first + 1472u, values - 1u)];
  let v24 = x[start + min(first + 1536u, values - 1u)];
  let v25 = x[start + min(first + 1600u, values - 1u)];
  let v26 = x[start + min(first + 1664u, values - 1u)];
  let v27 = x[start + min(first + 1728u, values - 1u)];
  let v28 = x[start + min(first + 1792u, values - 1u)];
  let v29 = x[start + min(first + 1856u, values - 1u)];
  let v30 = x[start + min(first + 1920u, values - 1u)];
  let v31 = x[start + min(first + 1984u, values - 1u)];
  var sum = 0.0;
  if (first < values) { sum += v0 - origin; }
  if (first + 64u < values) { sum += v1 - origin; }
  if (first + 128u < values) { sum += v2 - origin; }
  if (first + 192u < values) { sum += v3 - origin; }
  if (first + 256u < values) { sum += v4 - origin; }
  if (first + 320u < values) { sum += v5 - origin; }
  if (first + 384u < values) { sum += v6 - origin; }
  if (first + 448u < values) { sum += v7 - origin; }
  if (first + 512u < values) { sum += v8 - origin; }
  if (first + 576u < values) { sum += v9 - origin; }
  if (first + 640u < values) { sum += v10 - origin; }
  if (first + 704u < values) { sum += v11 - origin; }
  if (first + 768u < values) { sum += v12 - origin; }
  if (first + 832u < values) { sum += v13 - origin; }
  if (first + 896u < values) { sum += v14 - origin; }
  if (first + 960u < values) { sum += v15 - origin; }
  if (first + 1024u < values) { sum += v16 - origin; }
  if (first + 1088u < values) { sum += v17 - origin; }
  if (first + 1152u < values) { sum += v18 - origin; }
  if (first + 1216u < values) { sum += v19 - origin; }
  if (first + 1280u < values) { sum += v20 - origin; }
  if (first + 1344u < values) { sum += v21 - origin; }
  if (first + 1408u < values) { sum += v22 - origin; }
  if (first + 1472u < values) { sum += v23 - origin; }
  if (first + 1536u < values) { sum += v24 - origin; }
  if (first + 1600u < values) { sum += v25 - origin; }
  if (first + 1664u < values) { sum += v26 - origin; }
  if (first + 1728u < values) { sum += v27 - origin; }
  if (first + 1792u < values) { sum += v28 - origin; }
  if (first + 1856u < values) { sum += v29 - origin; }
  if (first + 1920u < values) { sum += v30 - origin; }
  if (first + 1984u < values) { sum += v31 - origin; }
  let mean = origin + total(sum, lane) / f32(values);
  var squares = 0.0;
  if (first < values) { squares += (v0 - mean) * (v0 - mean); }
  if (first + 64u < values) { squares += (v1 - mean) * (v1 - mean); }
  if (first + 128u < values) { squares += (v2 - mean) * (v2 - mean); }
  if (first + 192u < values) { squares += (v3 - mean) * (v3 - mean); }
  if (first + 256u < values) { squares += (v4 - mean) * (v4 - mean); }
  if (first + 320u < values) { squares += (v5 - mean) * (v5 - mean); }
  if (first + 384u < values) { squares += (v6 - mean) * (v6 - mean); }
  if (first + 448u < values) { squares += (v7 - mean) * (v7 - mean); }
  if (first + 512u < values) { squares += (v8 - mean) * (v8 - mean); }
  if (first + 576u < values) { squares += (v9 - mean) * (v9 - mean); }
  if (first + 640u < values) { squares += (v10 - mean) * (v10 - mean); }
  if (first + 704u < values) { squares += (v11 - mean) * (v11 - mean); }
  if (first + 768u < values) { squares += (v12 - mean) * (v12 - mean); }
  if (first + 832u < values) { squares += (v13 - mean) * (v13 - mean); }
  if (first + 896u < values) { squares += (v14 - mean) * (v14 - mean); }
  if (first + 960u < values) { squares += (v15 - mean) * (v15 - mean); }
  if (first + 1024u < values) { squares += (v16 - mean) * (v16 - mean); }
  if (first + 1088u < values) { squares += (v17 - mean) * (v17 - mean); }
  if (first + 1152u < values) { squares += (v18 - mean) * (v18 - mean); }
  if (first + 1216u < values) { squares += (v19 - mean) * (v19 - mean); }
  if (first + 1280u < values) { squares += (v20 - mean) * (v20 - mean); }
  if (first + 1344u < values) { squares += (v21 - mean) * (v21 - mean); }
  if (first + 1408u < values) { squares += (v22 - mean) * (v22 - mean); }
  if (first + 1472u < values) { squares += (v23 - mean) * (v23 - mean); }
  if (first + 1536u < values) { squares += (v24 - mean) * (v24 - mean); }
  if (first + 1600u < values) { squares += (v25 - mean) * (v25 - mean); }
  if (first + 1664u < values) { squares += (v26 - mean) * (v26 - mean); }
  if (first + 1728u < values) { squares += (v27 - mean) * (v27 - mean); }
  if (first + 1792u < values) { squares += (v28 - mean) * (v28 - mean); }
  if (first + 1856u < values) { squares += (v29 - mean) * (v29 - mean); }
  if (first + 1920u < values) { squares += (v30 - mean) * (v30 - mean); }
  if (first + 1984u < values) { squares += (v31 - mean) * (v31 - mean); }
  squares = total(squares, lane);
  if (lane > 0u) { return; }
  out[unit] = vec2f(mean, squares);
}
