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
  assert,
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

/** Weights that are read at once: eight where that is at most 16 bytes in whole words, else four. */
export const loadWidth = (dtype: MatrixDType, inDim: number): 4 | 8 =>
  dtype !== 'f32' && inDim % 8 === 0 ? 8 : 4;

/** WGSL element of a weight that is read eight values at a time. */
const WIDE_ELEMENT = { f16: 'vec4u', bf16: 'vec4u', int8: 'vec2u', int4: 'u32' } as const;

/**
 * The binding NAME [outDim, inDim] and, for integers, NAMEScales f16 [outDim, groups], as `weightReader`
 * reads them.
 */
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

/** The same, as products of few rows read them: by `wideReader` where `loadWidth` is 8. */
export function productWeight<N extends string>(
  name: N,
  [outDim, inDim]: readonly [outDim: number, inDim: number],
  dtype: MatrixDType,
): Readonly<Record<N, Binding<'in'>>> {
  const bindings = weightBindings(name, [outDim, inDim], dtype);
  if (dtype === 'f32' || loadWidth(dtype, inDim) === 4) return bindings;
  return { ...bindings, [name]: { ...bindings[name], element: WIDE_ELEMENT[dtype] } };
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

/**
 * `fn NAME_wide(row: u32, i: u32) -> mat2x4f`: weights 8i .. 8i+7 of a row, one load of 16 bytes for
 * halves. For rows of a multiple of 8 values that are not f32; see `loadWidth`.
 */
export function wideReader({ name, dtype, length }: WeightReaderParams): string {
  assert(loadWidth(dtype, length) === 8, `${name}: ${dtype} rows of ${length} are read by fours`);
  const at = (body: string): string => `
fn ${name}_wide(row: u32, i: u32) -> mat2x4f {
  let words = ${name}[row * ${length / 8}u + i];
  ${body}
}`;
  if (dtype === 'f16') {
    return at(
      'return mat2x4f(vec4f(unpack2x16float(words.x), unpack2x16float(words.y)), vec4f(unpack2x16float(words.z), unpack2x16float(words.w)));',
    );
  }
  if (dtype === 'bf16') {
    return at(`let low = bitcast<vec4f>(words << vec4u(16u));
  let high = bitcast<vec4f>(words & vec4u(0xffff0000u));
  return mat2x4f(vec4f(low.x, high.x, low.y, high.y), vec4f(low.z, high.z, low.w, high.w));`);
  }
  const quant = dtype === 'int8' ? dtype : 'int4';
  const { group } = QUANT_LAYOUT[quant];
  const quants =
    dtype === 'int8'
      ? `let low = vec4f(bitcast<vec4i>(vec4u(words.x) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
  let high = vec4f(bitcast<vec4i>(vec4u(words.y) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));`
      : `let low = vec4f(vec4i((vec4u(words) >> vec4u(0u, 4u, 8u, 12u)) & vec4u(15u)) - 8);
  let high = vec4f(vec4i((vec4u(words) >> vec4u(16u, 20u, 24u, 28u)) & vec4u(15u)) - 8);`;
  return at(`let s = row * ${quantGroups(quant, length)}u + i / ${group / 8}u;
  let scale = unpack2x16float(${scalesOf(name)}[s >> 1u] >> (16u * (s & 1u))).x;
  ${quants}
  return mat2x4f(low * scale, high * scale);`);
}
