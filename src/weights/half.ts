/** IEEE half precision in bits. */

export const HALF_INFINITY = 0x7c00;
export const SINGLE_INFINITY = 0x7f800000;
const HALF_NAN = 0x7e00;
/** Bits of 2^-14 as a float: smaller values become subnormal halves. */
const SINGLE_OF_MIN_NORMAL_HALF = 0x38800000;
/** Bits of 2^-25 as a float: it lies midway between 0 and the smallest half, and rounds to 0. */
const SINGLE_ROUNDING_TO_ZERO = 0x33000000;
/** Difference of the exponent biases, 127 - 15, in the exponent field of a float. */
const REBIAS = 0x38000000;

/** Half bits of a float's bits, rounded to nearest even; too large values give infinity. */
export function roundToHalf(single: number): number {
  const sign = (single >>> 16) & 0x8000;
  const magnitude = single & 0x7fffffff;
  if (magnitude >= SINGLE_OF_MIN_NORMAL_HALF) {
    if (magnitude >= SINGLE_INFINITY) {
      return sign | (magnitude > SINGLE_INFINITY ? HALF_NAN : HALF_INFINITY);
    }
    const rounded = (magnitude - REBIAS + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    return sign | Math.min(rounded, HALF_INFINITY);
  }
  if (magnitude <= SINGLE_ROUNDING_TO_ZERO) return sign;
  // A subnormal half counts units of 2^-24; the float is mantissa * 2^(exponent - 150).
  const shift = 126 - (magnitude >>> 23);
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const units = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const midway = 1 << (shift - 1);
  return sign | (units + (rest > midway || (rest === midway && (units & 1) === 1) ? 1 : 0));
}

let table: Uint32Array<ArrayBuffer> | undefined;

/** Float bits of each of the 65536 halves; made on first use. */
export function halfTable(): Uint32Array<ArrayBuffer> {
  if (table) return table;
  const values = new Float32Array(65536);
  const bits = new Uint32Array(values.buffer);
  for (let half = 0; half < 65536; half++) {
    const exponent = (half >>> 10) & 31;
    const fraction = half & 0x3ff;
    if (exponent === 31) bits[half] = SINGLE_INFINITY | (fraction << 13);
    else if (exponent === 0) values[half] = fraction * 2 ** -24;
    else bits[half] = ((exponent + 112) << 23) | (fraction << 13);
    bits[half] = (bits[half] as number) | ((half & 0x8000) << 16);
  }
  table = bits;
  return bits;
}
