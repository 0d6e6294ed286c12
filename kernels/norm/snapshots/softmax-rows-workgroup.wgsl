@group(0) @binding(0) var<storage, read> x: array<f32>; // f32 [576, 576]
@group(0) @binding(1) var<storage, read_write> out: array<f32>; // f32 [576, 576]
const LENGTH = 576u;
const LOWEST = -3.4028234e38f;
var<workgroup> largest_scratch: array<f32, 64>;

fn largest(value: f32, lane: u32) -> f32 {
  largest_scratch[lane] = value;
  for (var stride = 32u; stride > 0u; stride >>= 1u) {
    workgroupBarrier();
    if (lane < stride) {
      largest_scratch[lane] = max(largest_scratch[lane], largest_scratch[lane + stride]);
    }
  }
  workgroupBarrier();
  let total = largest_scratch[0];
  workgroupBarrier();
  return total;
}

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
  let row = group.y * 576u + group.x;
  let first = lane;
  if (row >= 576u) { return; }
  let start = row * LENGTH;
  var high = LOWEST;
  for (var j = first; j < LENGTH; j += 64u) { high = max(high, x[start + j]); }
  high = largest(high, lane);
  var sum = 0.0;
  for (var j = first; j < LENGTH; j += 64u) { sum += exp(x[start + j] - high); }
  sum = total(sum, lane);
  for (var j = first; j < LENGTH; j += 64u) { out[start + j] = exp(x[start + j] - high) / sum; }
}
