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

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let at = (group.y * 24u + group.x) * 16u + lane;
  let unit = at / 4u;
  if (unit >= 96u) { return; }
  let row = unit / 4u;
  let head = unit % 4u;
  let first = places[row].x;
  let count = places[row].y;
  var best = LOWEST;
  var weight = 0.0;
  let first_quad = at % 4u * 4u;
  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  for (var key = first; key < first + count; key++) {
    let line = key * 4u + head;
    var score = bias_of(key, row, head);
    for (var i = 0u; i < 16u; i++) { score += dot(q_at(unit, i), k_at(line, i)); }
    let top = max(best, score);
    let fade = exp(best - top);
    let p = exp(score - top);
    best = top;
    weight = weight * fade + p;
    sum0 = sum0 * fade + p * v_at(line, first_quad);
    sum1 = sum1 * fade + p * v_at(line, first_quad + 1u);
    sum2 = sum2 * fade + p * v_at(line, first_quad + 2u);
    sum3 = sum3 * fade + p * v_at(line, first_quad + 3u);
  }
  out_put(unit, first_quad, sum0 / max(weight, 1.0));
  out_put(unit, first_quad + 1u, sum1 / max(weight, 1.0));
  out_put(unit, first_quad + 2u, sum2 / max(weight, 1.0));
  out_put(unit, first_quad + 3u, sum3 / max(weight, 1.0));
}
