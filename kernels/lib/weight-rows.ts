/**
 * The weight of a product [outDim, inDim], whatever its storage, read four values at a time.
 *
 * Integer storage: a value is quant * scale, one scale for each group of values along a row, so that
 * zero is exact. int8: -127 .. 127, groups of 64. int4: -8 .. 7, stored plus 8, groups of 32. The last
 * group of a row may be shorter. Quants and scales are arrays of their own:
 * - quants u32: int8 four to a word, int4 eight to a word, the first in the low bits; every row begins
 *   with a word, and what is left of its last word is not read.
 * - scales f16 [outDim, groups], packed two to a word like every f16 tensor, rows one after another.
 */
import {
  type Binding,
  ceilDiv,
  type MatrixDType,
  PORTABLE,
  type QuantDType,
  type Variant,
} from '../kernel.ts';
import { rowBinding, rowReader } from './rows.ts';

/** Values that share a scale, and values in a word. */
export const QUANT_LAYOUT: Readonly<
  Record<QuantDType, { readonly group: number; readonly perWord: number }>
> = {
  int8: { group: 64, perWord: 4 },
  int4: { group: 32, perWord: 8 },
};

/** Whether weights of this storage come with scales. */
export const isQuantised = (dtype: MatrixDType): dtype is QuantDType =>
  dtype === 'int8' || dtype === 'int4';

/** Name of the scales of a weight. */
export const scalesOf = <N extends string>(name: N): `${N}Scales` => `${name}Scales`;

/** Scales in a row of `inDim` values. */
export const quantGroups = (dtype: QuantDType, inDim: number): number =>
  ceilDiv(inDim, QUANT_LAYOUT[dtype].group);

/** Words in a row of `inDim` quants. */
export const quantWords = (dtype: QuantDType, inDim: number): number =>
  ceilDiv(inDim, QUANT_LAYOUT[dtype].perWord);

/** The binding NAME [outDim, inDim] and, for integers, NAMEScales f16 [outDim, groups]. */
export function weightBindings<N extends string>(
  name: N,
  [outDim, inDim]: readonly [outDim: number, inDim: number],
  dtype: MatrixDType,
  variant: Variant = PORTABLE,
): Readonly<Record<N, Binding<'in'>>> {
  const bindings: Record<string, Binding<'in'>> = isQuantised(dtype)
    ? {
        [name]: { role: 'in', dtype, shape: [outDim, inDim], element: 'u32' },
        [scalesOf(name)]: {
          role: 'in',
          dtype: 'f16',
          shape: [outDim, quantGroups(dtype, inDim)],
          element: 'u32',
        },
      }
    : { [name]: rowBinding('in', [outDim, inDim], dtype, variant) };
  return bindings as Readonly<Record<N, Binding<'in'>>>;
}

export interface WeightReaderParams {
  /** Name of the binding. */
  readonly name: string;
  readonly dtype: MatrixDType;
  /** Values in a row. */
  readonly length: number;
  /** Whether f16 is read as native halves. */
  readonly nativeF16?: boolean;
}

/**
 * `fn NAME_at(row: u32, i: u32) -> vec4f`: weights 4i .. 4i+3 of a row. Past the end of the row, zero
 * or, for integers, whatever fills the word: something finite, that must meet a zero of the input.
 * Shifts only: `unpack4xI8` is a language feature that not every browser has.
 */
export function weightReader(params: WeightReaderParams): string {
  const { name, dtype, length } = params;
  if (!isQuantised(dtype)) return rowReader({ ...params, dtype });
  const { group, perWord } = QUANT_LAYOUT[dtype];
  const quadsPerWord = perWord / 4;
  const word = `${name}[row * ${quantWords(dtype, length)}u + i / ${quadsPerWord}u]`;
  const quants =
    dtype === 'int8'
      ? `bitcast<vec4i>(vec4u(${word}) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u)`
      : `vec4i((vec4u(${word} >> (16u * (i & 1u))) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) - 8`;
  return `
fn ${name}_at(row: u32, i: u32) -> vec4f {
  let s = row * ${quantGroups(dtype, length)}u + i / ${group / 4}u;
  let scale = unpack2x16float(${scalesOf(name)}[s >> 1u] >> (16u * (s & 1u))).x;
  return vec4f(${quants}) * scale;
}`;
}
