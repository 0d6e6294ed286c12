/** Rotary embedding of four neighbouring values, as WGSL. */

/**
 * `fn rotate(v: vec4f, position: u32, d: u32) -> vec4f`: rotates the pairs (4d, 4d+1) and
 * (4d+2, 4d+3) of a head by the angles of a position. Needs a binding `rope` f32
 * [positions, headDim / 2, 2] of (cos, sin), read as vec4f. The table is zero for condition tokens, so
 * their rotated vectors are zero: a quirk of the official code that its models were trained with.
 */
export const ropeLib = (headDim: number): string => `
fn rotate(v: vec4f, position: u32, d: u32) -> vec4f {
  let cs = rope[position * ${headDim / 4}u + d];
  return v * cs.xxzz + vec4f(-v.y, v.x, -v.w, v.z) * cs.yyww;
}`;
