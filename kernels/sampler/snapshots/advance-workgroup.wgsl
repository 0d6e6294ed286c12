struct Row {
  slot: u32,
  position: u32,
  sequence: u32,
  condition: u32,
}

struct Window {
  sequence: u32,
  row: u32,
  uncond_row: u32,
  draw: u32,
  count: u32,
}

struct Progress {
  known: u32,
  guessed: u32,
  given: u32,
  passes: u32,
}

@group(0) @binding(0) var<storage, read> windowTable: array<Window>; // u32 [16, 5]
@group(0) @binding(1) var<storage, read_write> rowTable: array<Row>; // u32 [16, 4]
@group(0) @binding(2) var<storage, read_write> drawn: array<u32>; // u32 [16]
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>; // u32 [2, 256]
@group(0) @binding(4) var<storage, read_write> progress: array<Progress>; // u32 [2, 4]
const NO_TOKEN = 4294967295u;
const NO_ROW = 4294967295u;
const BLOCK = 256u;
const NOT_DRAWN = 4294967294u;
const GIVEN = 4294967293u;

// Draws that do not count: zero at first, as workgroup memory is.
var<workgroup> dropped: atomic<u32>;

// Where the token stands that is the guess at a step, when those before `end` are there.
fn source_of(step: u32, end: u32) -> u32 {
  var source = step;
  while (source >= end) { source = select(end - 1u, source - 16u, source >= 16u); }
  return source;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let window = windowTable[group.x];
  if (window.count == 0u) { return; }
  let line = window.sequence * BLOCK;
  let before = progress[window.sequence];
  let first = before.known;
  let draws = select(min(window.count, BLOCK - first), 0u, drawn[window.draw] == NOT_DRAWN);
  for (var j = lane; j < draws; j += 64u) {
    let step = first + j;
    let is_right = step < before.given || tokens[line + step] == drawn[window.draw + j];
    if (!is_right) { atomicMax(&dropped, draws - 1u - j); }
  }
  workgroupBarrier();
  let taken = draws - atomicLoad(&dropped);
  for (var j = lane; j < draws; j += 64u) {
    let step = first + j;
    var token = drawn[window.draw + j];
    drawn[window.draw + j] = NOT_DRAWN;
    if (token == NO_TOKEN && j >= taken) { token = 0u; }
    let is_new = token != GIVEN && step >= before.given;
    if (is_new || token == NO_TOKEN) { tokens[line + step] = token; }
  }
  storageBarrier();
  let known = first + taken;
  let end = max(before.guessed, first + draws);
  // The last draw is the guess before no row of this pass.
  let wanted = min(known + window.count - 1u, BLOCK);
  for (var step = end + lane; step < wanted; step += 64u) {
    var guess = 0u;
    if (end > 0u) { guess = tokens[line + source_of(step, end)]; }
    tokens[line + step] = guess;
  }
  for (var j = lane; j < window.count; j += 64u) {
    let step = known + j;
    let position = select(NO_ROW, step, step < BLOCK);
    rowTable[window.row + j].position = position;
    if (window.uncond_row != NO_ROW) { rowTable[window.uncond_row + j].position = position; }
  }
  if (lane > 0u) { return; }
  let passes = before.passes + select(0u, 1u, draws > 0u);
  progress[window.sequence] = Progress(known, max(end, wanted), before.given, passes);
}
