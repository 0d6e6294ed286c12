@group(0) @binding(0) var<storage, read> qkv: array<vec4f>; // f32 [512, 2304]
@group(0) @binding(1) var<storage, read> rope: array<vec4f>; // f32 [577, 32, 2]
@group(0) @binding(2) var<storage, read> rowTable: array<Row>; // u32 [512, 4]
@group(0) @binding(3) var<storage, read_write> kv: array<vec4f>; // f32 [2, 2, 12, 577, 64]
@group(0) @binding(4) var<storage, read_write> q: array<vec4f>; // f32 [512, 768]

fn qkv_at(row: u32, i: u32) -> vec4f {
  return qkv[row * 576u + i];
}

struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}

fn rotate(v: vec4f, position: u32, d: u32) -> vec4f {
  let cs = rope[position * 16u + d];
  return v * cs.xxzz + vec4f(-v.y, v.x, -v.w, v.z) * cs.yyww;
}

fn kv_row(part: u32, slot: u32, head: u32, position: u32) -> u32 {
  return ((part * 2u + slot) * 12u + head) * 577u + position;
}

fn kv_put(row: u32, i: u32, v: vec4f) {
  kv[row * 16u + i] = v;
}

fn q_put(row: u32, i: u32, v: vec4f) {
  q[row * 192u + i] = v;
}

fn store(row: u32, i: u32, a: vec4f) {
  let slot = rowTable[row].slot;
  let position = rowTable[row].position;
  if (position >= 577u) { return; }
  let head = i / 16u;
  let d = i % 16u;
  let turned = rotate(a, position, d);
  if (head < 12u) {
    q_put(row, i, turned);
    return;
  }
  let own = head - 12u;
  let part = own / 12u;
  kv_put(kv_row(part, slot, own % 12u, position), d, select(turned, a, part == 1u));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 4608u + group.x) * 64u + lane;
  let row = unit / 576u;
  if (row >= 512u) { return; }
  let i = unit % 576u;
  store(row, i, qkv_at(row, i));
}
