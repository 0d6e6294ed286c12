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
const SCALE = f32(0.18033688011112042);

fn q_at(row: u32, i: u32) -> vec4f {
  return q[row * 16u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 16u + i] = v;
}

fn kv_row(part: u32, slot: u32, head: u32, position: u32) -> u32 {
  return ((part * 2u + slot) * 12u + head) * 257u + position;
}

alias Scores = vec4f;
alias Columns = vec4u;

fn over_span(share: Scores, lane: u32) -> Scores {
  var sum = share;
  sum += subgroupShuffleXor(sum, 1u);
  sum += subgroupShuffleXor(sum, 2u);
  sum += subgroupShuffleXor(sum, 4u);
  return sum;
}

var<workgroup> bests: array<f32, 8>;
var<workgroup> weights: array<f32, 8>;
var<workgroup> sums: array<vec4f, 128>;

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
  let columns = Columns(0u, 32u, 64u, 96u) + lane / 8u;
  let last = Columns(position);
  let at0 = member;
  let keys_at0 = keys * 8u + at0;
  let values_at0 = values * 8u + at0;
  let q0a = q_at(unit, at0 * 2u) * SCALE;
  let q0b = q_at(unit, at0 * 2u + 1u) * SCALE;
  var sum0a = vec4f();
  var sum0b = vec4f();
  var best = f32(-3.0e38);
  var weight = 0.0;
  let begin = 0u;
  for (var j = begin; j <= position; j += 128u) {
    let wanted = columns + j;
    let read = min(wanted, last);
    let key0_0_0 = kv[keys_at0 + read.x * 8u];
    let key0_1_0 = kv[keys_at0 + read.y * 8u];
    let key0_2_0 = kv[keys_at0 + read.z * 8u];
    let key0_3_0 = kv[keys_at0 + read.w * 8u];
    let value0_0_0 = kv[values_at0 + read.x * 8u];
    let value0_1_0 = kv[values_at0 + read.y * 8u];
    let value0_2_0 = kv[values_at0 + read.z * 8u];
    let value0_3_0 = kv[values_at0 + read.w * 8u];
    var scores = Scores(dot(q0a, vec4f(unpack2x16float(key0_0_0.x), unpack2x16float(key0_0_0.y)))
        + dot(q0b, vec4f(unpack2x16float(key0_0_0.z), unpack2x16float(key0_0_0.w))),
        dot(q0a, vec4f(unpack2x16float(key0_1_0.x), unpack2x16float(key0_1_0.y)))
        + dot(q0b, vec4f(unpack2x16float(key0_1_0.z), unpack2x16float(key0_1_0.w))),
        dot(q0a, vec4f(unpack2x16float(key0_2_0.x), unpack2x16float(key0_2_0.y)))
        + dot(q0b, vec4f(unpack2x16float(key0_2_0.z), unpack2x16float(key0_2_0.w))),
        dot(q0a, vec4f(unpack2x16float(key0_3_0.x), unpack2x16float(key0_3_0.y)))
        + dot(q0b, vec4f(unpack2x16float(key0_3_0.z), unpack2x16float(key0_3_0.w))));
    scores = over_span(scores, lane);
    scores = select(Scores(f32(-3.0e38)), scores, wanted <= last);
    let top = max(max(max(max(best, scores.x), scores.y), scores.z), scores.w);
    let fade = exp2(best - top);
    let p = exp2(scores - top);
    best = top;
    weight = weight * fade + p.x + p.y + p.z + p.w;
    sum0a = sum0a * fade + p.x * vec4f(unpack2x16float(value0_0_0.x),
        unpack2x16float(value0_0_0.y)) + p.y * vec4f(unpack2x16float(value0_1_0.x),
        unpack2x16float(value0_1_0.y)) + p.z * vec4f(unpack2x16float(value0_2_0.x),
        unpack2x16float(value0_2_0.y)) + p.w * vec4f(unpack2x16float(value0_3_0.x),
        unpack2x16float(value0_3_0.y));
    sum0b = sum0b * fade + p.x * vec4f(unpack2x16float(value0_0_0.z),
        unpack2x16float(value0_0_0.w)) + p.y * vec4f(unpack2x16float(value0_1_0.z),
        unpack2x16float(value0_1_0.w)) + p.z * vec4f(unpack2x16float(value0_2_0.z),
        unpack2x16float(value0_2_0.w)) + p.w * vec4f(unpack2x16float(value0_3_0.z),
        unpack2x16float(value0_3_0.w));
  }
  let own = best;
  best = max(best, subgroupShuffleXor(best, 8u));
  best = max(best, subgroupShuffleXor(best, 16u));
  let share = exp2(own - best);
  weight *= share;
  sum0a *= share;
  sum0b *= share;
  weight += subgroupShuffleXor(weight, 8u);
  sum0a += subgroupShuffleXor(sum0a, 8u);
  sum0b += subgroupShuffleXor(sum0b, 8u);
  weight += subgroupShuffleXor(weight, 16u);
  sum0a += subgroupShuffleXor(sum0a, 16u);
  sum0b += subgroupShuffleXor(sum0b, 16u);
  let part = lane / 32u;
  if (lane % 32u < 8u) {
    if (member == 0u) {
      bests[part] = best;
      weights[part] = weight;
    }
    sums[part * 16u + member * 2u] = sum0a;
    sums[part * 16u + member * 2u + 1u] = sum0b;
  }
  workgroupBarrier();
  if (lane < 16u) {
    let i = lane;
    var top = bests[0];
    top = max(top, bests[1]);
    top = max(top, bests[2]);
    top = max(top, bests[3]);
    top = max(top, bests[4]);
    top = max(top, bests[5]);
    top = max(top, bests[6]);
    top = max(top, bests[7]);
    let share0 = exp2(bests[0] - top);
    let share1 = exp2(bests[1] - top);
    let share2 = exp2(bests[2] - top);
    let share3 = exp2(bests[3] - top);
    let share4 = exp2(bests[4] - top);
    let share5 = exp2(bests[5] - top);
    let share6 = exp2(bests[6] - top);
    let share7 = exp2(bests[7] - top);
    var whole = share0 * weights[0];
    whole += share1 * weights[1];
    whole += share2 * weights[2];
    whole += share3 * weights[3];
    whole += share4 * weights[4];
    whole += share5 * weights[5];
    whole += share6 * weights[6];
    whole += share7 * weights[7];
    var sum = share0 * sums[i];
    sum += share1 * sums[16u + i];
    sum += share2 * sums[32u + i];
    sum += share3 * sums[48u + i];
    sum += share4 * sums[64u + i];
    sum += share5 * sums[80u + i];
    sum += share6 * sums[96u + i];
    sum += share7 * sums[112u + i];
    out_put(unit, i, sum / whole);
  }
}
