struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}

@group(0) @binding(0) var<storage, read> rowTable: array<Row>; // u32 [2, 4]
@group(0) @binding(1) var<storage, read> tokens: array<u32>; // u32 [1, 256]
@group(0) @binding(2) var<storage, read> labelTable: array<vec2u>; // f16 [1001, 768]
@group(0) @binding(3) var<storage, read> tokenTable: array<vec2u>; // f16 [16384, 768]
@group(0) @binding(4) var<storage, read_write> out: array<vec4f>; // f32 [2, 768]

fn labelTable_at(row: u32, i: u32) -> vec4f {
  let words = labelTable[row * 192u + i];
  return vec4f(unpack2x16float(words[0]), unpack2x16float(words[1]));
}

fn tokenTable_at(row: u32, i: u32) -> vec4f {
  let words = tokenTable[row * 192u + i];
  return vec4f(unpack2x16float(words[0]), unpack2x16float(words[1]));
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 192u + i] = v;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let i = id.x;
  let stands = rowTable[row];
  let position = stands.position;
  if (i >= 192u || position == 4294967295u) { return; }
  var v = vec4f(bitcast<f32>(0x7fc00000u | (position & 0u)));
  var held = true;
  if (position < 1u) {
    let line = stands.condition;
    if (line < 1001u) { v = labelTable_at(line, i); }
  } else if (position < 257u) {
    let index = tokens[stands.sequence * 256u + position - 1u];
    if (index < 16384u) {
      v = tokenTable_at(index, i);
      held = true;
    }
  }
  if (held) { out_put(row, i, v); }
}
