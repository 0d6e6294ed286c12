/** What norms multiply with, as WGSL. */

/**
 * `fn scale_or_nan(root: f32) -> f32`: what a norm multiplies with, given inverseSqrt of the mean square.
 * That is 0 only where the square has overflowed: then NaN, or all values would silently become zero.
 */
export const normScaleLib: string = `
fn scale_or_nan(root: f32) -> f32 {
  let bits = bitcast<u32>(root);
  return select(root, bitcast<f32>(bits | 0x7fc00000u), bits == 0u);
}`;
