struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}

struct Sequence {
  row: u32,
  uncond_row: u32,
  given: u32,
  flags: u32,
  seed: vec2u,
  cfg_scale: f32,
  cfg_interval: i32,
  temperature: f32,
  top_k: u32,
  top_p: f32,
}

const NO_ROW = 4294967295u;
const GREEDY = 1u;
@group(0) @binding(0) var<storage, read> logits: array<vec4f>; // f32 [2, 16384]
@group(0) @binding(1) var<storage, read> rowTable: array<Row>; // u32 [2, 4]
@group(0) @binding(2) var<storage, read> sequenceTable: array<Sequence>; // u32 [1, 12]
@group(0) @binding(3) var<storage, read_write> out: array<vec4f>; // f32 [1, 16384]

fn logits_at(row: u32, i: u32) -> vec4f {
  return logits[row * 4096u + i];
}

fn out_put(row: u32, i: u32, v: vec4f) {
  out[row * 4096u + i] = v;
}

// The rows that logits are taken from, twice the same where there is no guidance.
struct Own { cond: u32, uncond: u32, scale: f32 }

fn own_of(settings: Sequence, step: u32) -> Own {
  let in_time = settings.cfg_interval < 0 || i32(step) - 1 <= settings.cfg_interval;
  let guided = settings.uncond_row != NO_ROW && settings.cfg_scale > 1.0 && in_time;
  return Own(settings.row, select(settings.row, settings.uncond_row, guided), settings.cfg_scale);
}

fn guided_at(own: Own, i: u32) -> vec4f {
  let cond = logits_at(own.cond, i);
  let uncond = logits_at(own.uncond, i);
  return select(uncond + (cond - uncond) * own.scale, cond, own.uncond == own.cond);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  let settings = sequenceTable[id.y];
  if (i >= 4096u || settings.row == NO_ROW) { return; }
  let step = rowTable[settings.row].position;
  out_put(id.y, i, guided_at(own_of(settings, step), i));
}
