/**
 * Telling NaN and infinity from numbers, as WGSL. Compilers may take every float for finite, so
 * `x != x` may be false for NaN; these look at the bits.
 */

/** In place of a token or a code where numbers that are not finite leave nothing to choose. */
export const NO_TOKEN: number = 2 ** 32 - 1;

/** `magnitude_of` orders floats as their absolute values do; INFINITE and above is not finite. */
export const finiteLib: string = `
const INFINITE = 0x7f800000u;
const NO_TOKEN = ${NO_TOKEN}u;
fn magnitude_of(v: f32) -> u32 { return bitcast<u32>(v) & 0x7fffffffu; }`;

/** `magnitude_of_any` is the largest of four; needs `finiteLib`. */
export const finiteFourLib: string = `
fn magnitude_of_any(v: vec4f) -> u32 {
  let bits = bitcast<vec4u>(v) & vec4u(0x7fffffffu);
  return max(max(bits.x, bits.y), max(bits.z, bits.w));
}`;
