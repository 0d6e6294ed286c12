@group(0) @binding(0) var<storage, read> image: array<f32>; // f32 [1, 3, 16, 16]
@group(0) @binding(1) var<storage, read_write> rgba: array<u32>; // u32 [1, 16, 16]
const INFINITE = 0x7f800000u;
const NO_TOKEN = 4294967295u;

fn magnitude_of(v: f32) -> u32 { return bitcast<u32>(v) & 0x7fffffffu; }

fn magnitude_of_any(v: vec4f) -> u32 {
  let bits = bitcast<vec4u>(v) & vec4u(0x7fffffffu);
  return max(max(bits.x, bits.y), max(bits.z, bits.w));
}

const PIXELS = 256u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 4u + group.x) * 64u + lane;
  if (unit >= 256u) { return; }
  let at = (unit / PIXELS) * 3u * PIXELS + unit % PIXELS;
  let color = vec3f(image[at], image[at + PIXELS], image[at + 2u * PIXELS]);
  let bytes = vec3u(clamp(127.5 * color + 128.0, vec3f(0.0), vec3f(255.0)));
  let word = bytes.r | (bytes.g << 8u) | (bytes.b << 16u) | (255u << 24u);
  rgba[unit] = select(word, 0u, magnitude_of_any(vec4f(color, 0.0)) >= INFINITE);
}
