@group(0) @binding(0) var<storage, read> rgba: array<u32>; // u32 [1, 16, 16]
@group(0) @binding(1) var<storage, read_write> rows: array<u32>; // u32 [1, 16, 64]
@group(0) @binding(2) var<storage, read_write> flaws: array<atomic<u32>>; // u32 [1, 2]

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * 16u + group.x) * 64u + lane;
  if (unit >= 1024u) { return; }
  let row = unit / 64u;
  let column = unit % 64u;
  if (column >= 16u) {
    rows[unit] = 0u;
    return;
  }
  let at = row * 16u + column;
  let pixel = rgba[at];
  rows[unit] = (pixel & 0xff00ff00u) | ((pixel & 0xffu) << 16u) | ((pixel >> 16u) & 0xffu);
  if (pixel == 0u) {
    let image = at / 256u;
    atomicMin(&flaws[2u * image], at % 256u);
    atomicAdd(&flaws[2u * image + 1u], 1u);
  }
}
