/**
 * The input of a product by matrices of subgroups, which multiply halves: each row is scaled by a power of two,
 * and a value becomes two halves. How large a row is, and its squares, are found on the way.
 */
import { range } from '../kernel.ts';
import { EIGHTS } from './product-matrix-plan.ts';

/**
 * A row is multiplied with 2^4 first, whatever is in it: one whose largest value is then at least 2^-4 and
 * below 2^16 keeps 21 bits. If that was wrong for some row, all is made again with scales that fit.
 * Exponents have a bias of 127.
 */
export const GUESS: number = 127 + 4;
const [LOWEST, HIGHEST] = [127 - 8, 127 + 11];

/** What the functions depend on: whether rows are normalised, and how many subgroups share them. */
interface Input {
  readonly norm: boolean;
  readonly parts: number;
}

/**
 * Functions that load eight values of the input, and put them there as halves: zeros where the scale is 0. The
 * first half is cut off, not rounded and unpacked again: an H200 (driver 580.159.04) takes what it has packed
 * and unpacked for the value itself, so that nothing was left for the second (errors of halves, 1e-2 in the
 * golden case `c2i_tiny_f16`).
 */
export function inputLib({ norm }: Pick<Input, 'norm'>): string {
  const values = (name: string, row: string): string =>
    `return Values(${name}_at(${row}, 2u * i), ${name}_at(${row}, 2u * i + 1u));`;
  return `
fn x_values(row: u32, i: u32) -> Values {
  ${values('x', 'row')}
}
${norm ? `fn gain_values(i: u32) -> Values {\n  ${values('gain', '0u')}\n}` : ''}
// As many bits as a half has.
fn top_of(v: vec4f) -> vec4f {
  return bitcast<vec4f>(bitcast<vec4u>(v) & vec4u(0xffffe000u));
}
fn halves_of(a: vec4f, b: vec4f) -> vec4u {
  return vec4u(pack2x16float(a.xy), pack2x16float(a.zw), pack2x16float(b.xy), pack2x16float(b.zw));
}
// Puts the halves of eight values; of these the largest and the sum of squares, with what was found before.
fn put_x(to: u32, scale: f32, x: Values${norm ? ', gain: Values' : ''}, found: vec2f) -> vec2f {
  let value = ${norm ? 'with_gain(x, gain)' : 'x'};
  let most = max(abs(value[0]), abs(value[1]));
  let v = value * scale;
  let a = top_of(v[0]);
  let b = top_of(v[1]);
  slab[to] = halves_of(a, b);
  slab[to + REST] = halves_of(v[0] - a, v[1] - b);
  let all = max(max(most.x, most.y), max(most.z, most.w));
  return vec2f(max(found.x, all), ${norm ? 'found.y + select(0.0, dot(x[0], x[0]) + dot(x[1], x[1]), scale > 0.0)' : '0.0'});
}`;
}

/**
 * What a row is multiplied with, and what takes it out of the sums again with the factor of the norm. The
 * largest value's exponent becomes 141 unless the guess fits.
 */
export const scaleLib = ({ norm, parts }: Input): string => `
fn over_eights(share: vec2f) -> vec2f {
  var all = share;
  ${range(Math.log2(EIGHTS))
    .map(
      (bit) => `let other${bit} = subgroupShuffleXor(all, ${2 ** bit}u);
  all = vec2f(max(all.x, other${bit}.x), all.y + other${bit}.y);`,
    )
    .join('\n  ')}
  return all;
}
fn found_of(row: u32) -> vec2f {
  var all = vec2f();
  for (var part = 0u; part < ${parts}u; part++) {
    let share = found[row * ${parts}u + part];
    all = vec2f(max(all.x, share.x), all.y + share.y);
  }
  return all;
}
fn exponent_of(most: f32) -> u32 {
  let e = bitcast<u32>(most) >> 23u;
  let fits = most == 0.0 || (e >= ${LOWEST}u && e <= ${HIGHEST}u);
  return select(268u - clamp(e, 15u, 254u), ${GUESS}u, fits);
}
fn back_of(all: vec2f) -> f32 {
  return bitcast<f32>((254u - exponent_of(all.x)) << 23u)${norm ? ' * scale_of(all.y)' : ''};
}`;
