@group(0) @binding(0) var<storage, read> latents: array<f32>; // f32 [1, 8, 24, 24]
@group(0) @binding(1) var<storage, read> codebook: array<f32>; // f32 [16384, 8]
@group(0) @binding(2) var<storage, read_write> indices: array<u32>; // u32 [1, 576]
const INFINITE = 0x7f800000u;
const NO_TOKEN = 4294967295u;

fn magnitude_of(v: f32) -> u32 { return bitcast<u32>(v) & 0x7fffffffu; }

const POSITIONS = 576u;
const DIM = 8u;
const MIN_LENGTH = 1e-12;
const FARTHEST = 3.4028234e38f;

fn codebook_at(i: u32) -> f32 {
  return codebook[i];
}

@compute @workgroup_size(16)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 36u + group.x) * 16u + lane;
  if (unit >= 576u) { return; }
  let at = (unit / POSITIONS) * DIM * POSITIONS + unit % POSITIONS;
  var largest = 0u;
  for (var e = 0u; e < DIM; e++) {
    largest = max(largest, magnitude_of(latents[at + e * POSITIONS]));
  }
  var latent_scale = 1.0;
  var latent_square = 0.0;
  for (var e = 0u; e < DIM; e++) {
    let z = latents[at + e * POSITIONS];
    latent_square += z * z;
  }
  largest = max(largest, magnitude_of(latent_square));
  latent_scale = 1.0 / max(sqrt(latent_square), MIN_LENGTH);
  var nearest = NO_TOKEN;
  var shortest = FARTHEST;
  for (var code = 0u; code < 16384u; code++) {
    var code_scale = 1.0;
    var square = 0.0;
    for (var e = 0u; e < DIM; e++) {
      let v = codebook_at(code * DIM + e);
      square += v * v;
    }
    code_scale = 1.0 / max(sqrt(square), MIN_LENGTH);
    var distance = 0.0;
    for (var e = 0u; e < DIM; e++) {
      let z = latents[at + e * POSITIONS] * latent_scale;
      let d = z - codebook_at(code * DIM + e) * code_scale;
      distance += d * d;
    }
    if (distance < shortest) {
      shortest = distance;
      nearest = code;
    }
  }
  indices[unit] = select(nearest, NO_TOKEN, largest >= INFINITE);
}
