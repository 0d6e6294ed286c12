@group(0) @binding(0) var<storage, read> codes: array<u32>; // u32 [1, 576]
@group(0) @binding(1) var<storage, read> codebook: array<f32>; // f32 [16384, 8]
@group(0) @binding(2) var<storage, read_write> zq: array<u32>; // f32 [1, 8, 24, 24]
const POSITIONS = 576u;
const DIM = 8u;
const NAN_BITS = 0x7fc00000u;
const MIN_LENGTH = 1e-12;

fn codebook_at(i: u32) -> f32 {
  return codebook[i];
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 9u + group.x) * 64u + lane;
  if (unit >= 576u) { return; }
  let code = codes[unit];
  let known = code < 16384u;
  let row = min(code, 16383u) * DIM;
  var scale = 1.0;
  var square = 0.0;
  for (var e = 0u; e < DIM; e++) { square += codebook_at(row + e) * codebook_at(row + e); }
  scale = 1.0 / max(sqrt(square), MIN_LENGTH);
  let image = unit / POSITIONS;
  let at = image * DIM * POSITIONS + unit % POSITIONS;
  for (var e = 0u; e < DIM; e++) {
    let bits = bitcast<u32>(codebook_at(row + e) * scale);
    zq[at + e * POSITIONS] = select(NAN_BITS, bits, known);
  }
}
