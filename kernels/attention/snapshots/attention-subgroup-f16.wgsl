enable subgroups;
struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}

@group(0) @binding(0) var<storage, read> q: array<vec4f>; // f32 [2, 768]
@group(0) @binding(1) var<storage, read> kv: array<vec4u>; // f16 [2, 2, 12, 257, 64]
@group(0) @binding(2) var<storage, read> rowTable: array<Row>; // u32 [2, 4]
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // f32 [2, 768]
const SCALE = f32(0.125);

fn q_at(row: u32, i: u32) -> vec4f {
  return q[row * 16u + i];
}

fn kv_at(row: u32, i: u32) -> mat2x4f {
  let words = kv[row * 8u + i];
  return mat2x4f(vec4f(unpack2x16float(words.x), unpack2x16float(words.y)),
      vec4f(unpack2x16float(words.z), unpack2x16float(words.w)));
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 16u + i] = v;
}

fn kv_row(part: u32, slot: u32, head: u32, position: u32) -> u32 {
  return ((part * 2u + slot) * 12u + head) * 257u + position;
}

alias Values = mat2x4f;
alias Scores = vec4f;
alias Columns = vec4u;

fn add_product(sum: f32, a: Values, b: Values) -> f32 {
  return sum + dot(a[0], b[0]) + dot(a[1], b[1]);
}

fn over_span(share: Scores, lane: u32) -> Scores {
  var sum = share;
  sum += subgroupShuffleXor(sum, 1u);
  sum += subgroupShuffleXor(sum, 2u);
  sum += subgroupShuffleXor(sum, 4u);
  return sum;
}

var<workgroup> bests: array<f32, 32>;
var<workgroup> weights: array<f32, 32>;
var<workgroup> sums: array<vec4f, 512>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = group.y * 24u + group.x;
  if (unit >= 24u) { return; }
  let slot = rowTable[unit / 12u].slot;
  let position = rowTable[unit / 12u].position;
  if (position >= 257u) { return; }
  let head = unit % 12u;
  let keys = kv_row(0u, slot, head, 0u);
  let values = kv_row(1u, slot, head, 0u);
  let member = lane % 8u;
  let first = lane / 8u;
  let at0 = member;
  let q0 = Values(q_at(unit, at0 * 2u), q_at(unit, at0 * 2u + 1u));
  var sum0 = Values();
  var best = f32(-3.0e38);
  var weight = 0.0;
  for (var j = 0u; j <= position; j += 128u) {
    let wanted = Columns(0u, 32u, 64u, 96u) + j + first;
    let columns = min(wanted, Columns(position));
    var scores: Scores;
    scores.x = add_product(0.0, q0, kv_at(keys + columns.x, at0));
    scores.y = add_product(0.0, q0, kv_at(keys + columns.y, at0));
    scores.z = add_product(0.0, q0, kv_at(keys + columns.z, at0));
    scores.w = add_product(0.0, q0, kv_at(keys + columns.w, at0));
    let value0_0 = kv_at(values + columns.x, at0);
    let value1_0 = kv_at(values + columns.y, at0);
    let value2_0 = kv_at(values + columns.z, at0);
    let value3_0 = kv_at(values + columns.w, at0);
    scores = over_span(scores, lane);
    scores *= SCALE;
    scores = select(Scores(f32(-3.0e38)), scores, wanted <= Columns(position));
    let top = max(max(max(max(best, scores.x), scores.y), scores.z), scores.w);
    let fade = exp(best - top);
    let p = exp(scores - top);
    best = top;
    weight = weight * fade + p.x + p.y + p.z + p.w;
    sum0 = sum0 * fade + p.x * value0_0 + p.y * value1_0 + p.z * value2_0 + p.w * value3_0;
  }
  if (member == 0u) {
    bests[first] = best;
    weights[first] = weight;
  }
  sums[first * 16u + member * 2u] = sum0[0];
  sums[first * 16u + member * 2u + 1u] = sum0[1];
  workgroupBarrier();
  for (var i = lane; i < 16u; i += 256u) {
    var top = bests[0];
    for (var s = 1u; s < 32u; s++) { top = max(top, bests[s]); }
    var sum = vec4f();
    var whole = 0.0;
    for (var s = 0u; s < 32u; s++) {
      let scale = exp(bests[s] - top);
      sum += scale * sums[s * 16u + i];
      whole += scale * weights[s];
    }
    out_put(unit, i, sum / whole);
  }
}
