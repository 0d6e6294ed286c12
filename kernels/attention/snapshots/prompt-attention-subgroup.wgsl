enable subgroups;
@group(0) @binding(0) var<storage, read> q: array<vec4f>; // f32 [24, 256]
@group(0) @binding(1) var<storage, read> k: array<vec4f>; // f32 [24, 256]
@group(0) @binding(2) var<storage, read> v: array<vec4f>; // f32 [24, 256]
@group(0) @binding(3) var<storage, read> places: array<vec2u>; // u32 [24, 2]
@group(0) @binding(4) var<storage, read> bucketTable: array<u32>; // u32 [257]
@group(0) @binding(5) var<storage, read> bias: array<f32>; // f32 [32, 4]
@group(0) @binding(6) var<storage, read_write> out: array<vec4f>; // f32 [24, 256]
const LOWEST = -3.4028234e38f;

fn q_at(row: u32, i: u32) -> vec4f {
  return q[row * 16u + i];
}

fn k_at(row: u32, i: u32) -> vec4f {
  return k[row * 16u + i];
}

fn v_at(row: u32, i: u32) -> vec4f {
  return v[row * 16u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 16u + i] = v;
}

fn bias_of(key: u32, row: u32, head: u32) -> f32 {
  let distance = clamp(i32(key) - i32(row), -128, 128) + 128;
  return bias[bucketTable[distance] * 4u + head];
}

var<workgroup> largest_scratch: array<f32, 16>;

fn largest(value: f32, lane: u32, lanes: u32) -> f32 {
  let part = subgroupMax(value);
  if (lane % lanes == 0u) { largest_scratch[lane / lanes] = part; }
  workgroupBarrier();
  let parts = (64u + lanes - 1u) / lanes;
  var total = largest_scratch[0];
  for (var i = 0u; i < parts; i += lanes) {
    let at = i + lane % lanes;
    if (at < parts) { total = max(total, largest_scratch[at]); }
  }
  total = subgroupMax(total);
  workgroupBarrier();
  return total;
}

var<workgroup> total_scratch: array<f32, 16>;

fn total(value: f32, lane: u32, lanes: u32) -> f32 {
  let part = subgroupAdd(value);
  if (lane % lanes == 0u) { total_scratch[lane / lanes] = part; }
  workgroupBarrier();
  let parts = (64u + lanes - 1u) / lanes;
  var total = f32();
  for (var i = 0u; i < parts; i += lanes) {
    let at = i + lane % lanes;
    if (at < parts) { total = total + total_scratch[at]; }
  }
  total = subgroupAdd(total);
  workgroupBarrier();
  return total;
}

var<workgroup> weights: array<f32, 64>;
var<workgroup> sums: array<vec4f, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_size) lanes: u32) {
  let unit = group.y * 96u + group.x;
  if (unit >= 96u) { return; }
  let row = unit / 4u;
  let head = unit % 4u;
  let first = places[row].x;
  let count = places[row].y;
  var best = LOWEST;
  var weight = 0.0;
  let quad = min(lane % 16u, 15u);
  var sum = vec4f();
  for (var begin = 0u; begin < count; begin += 64u) {
    var score = LOWEST;
    if (begin + lane < count) {
      let key = first + begin + lane;
      score = bias_of(key, row, head);
      for (var i = 0u; i < 16u; i++) { score += dot(q_at(unit, i), k_at(key * 4u + head, i)); }
    }
    let top = max(best, largest(score, lane, lanes));
    let fade = exp(best - top);
    let p = exp(score - top);
    best = top;
    weights[lane] = p;
    // Its barriers stand between the weights and who reads them, those of the next maximum behind.
    weight = weight * fade + total(p, lane, lanes);
    sum *= fade;
    for (var j = lane / 16u; j < min(64u, count - begin); j += 4u) {
      sum += weights[j] * v_at((first + begin + j) * 4u + head, quad);
    }
  }
  sums[lane] = sum;
  workgroupBarrier();
  if (lane < 16u) {
    var whole = sums[lane];
    for (var i = 1u; i < 4u; i++) { whole += sums[i * 16u + lane]; }
    out_put(unit, lane, whole / max(weight, 1.0));
  }
}
