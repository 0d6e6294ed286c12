/** How products read their weights, whatever the dtype: four values at a time, or eight. */
import type { Binding, MatrixDType, QuantDType } from '../kernel.ts';
import { elementOf, fourHalves, rowReader, valueAt } from './accessors.ts';
import { isQuantised, QUANT_LAYOUT, quantGroups, quantWords, scalesOf } from './quants.ts';

/** Values that are read at once. */
export type Width = 4 | 8;

/** Both halves of eight values, or four as they are. */
export const halvesOf = (width: Width): readonly string[] => (width === 4 ? [''] : ['[0]', '[1]']);

/** Weights that a product reads at once: eight where that is at most 16 bytes in whole words, else four. */
export const loadWidth = (dtype: MatrixDType, inDim: number): Width =>
  dtype !== 'f32' && inDim % 8 === 0 ? 8 : 4;

/** WGSL element that holds eight values, where it is not a vec4u. */
const EIGHT: Readonly<Partial<Record<MatrixDType, string>>> = { int8: 'vec2u', int4: 'u32' };

/**
 * The binding NAME [outDim, inDim] and, for integers, NAMEScales f16 [outDim, groups], for a reader of the
 * same width; by default that of `loadWidth`.
 */
export function weightBindings<N extends string>(
  name: N,
  shape: readonly [outDim: number, inDim: number],
  dtype: MatrixDType = 'f32',
  width: Width = loadWidth(dtype, shape[1]),
): Readonly<Record<N, Binding<'in'>>> {
  const [outDim, length] = shape;
  const four = isQuantised(dtype) ? 'u32' : elementOf({ dtype, length });
  const element = width === 8 ? (EIGHT[dtype] ?? 'vec4u') : four;
  const bindings: Record<string, Binding<'in'>> = { [name]: { role: 'in', dtype, shape, element } };
  if (isQuantised(dtype)) {
    const groups = quantGroups(dtype, length);
    const scales = { role: 'in', dtype: 'f16', shape: [outDim, groups], element: 'u32' } as const;
    bindings[scalesOf(name)] = scales;
  }
  return bindings as Readonly<Record<N, Binding<'in'>>>;
}

/** Values 4q .. 4q+3 of what was loaded as `words`: WGSL of vec4f. */
function four(dtype: Exclude<MatrixDType, 'f32'>, width: Width, q: number): string {
  if (!isQuantised(dtype)) {
    return fourHalves(dtype, `words[${2 * q}]`, `words[${2 * q + 1}]`);
  }
  if (dtype === 'int4') {
    const shifts = [0, 4, 8, 12].map((bit) => `${16 * q + bit}u`).join(', ');
    return `vec4f(vec4i((vec4u(words) >> vec4u(${shifts})) & vec4u(15u)) - 8) * scale`;
  }
  const word = width === 4 ? 'words' : `words[${q}]`;
  // Shifts only: `unpack4xI8` is a language feature that not every browser has.
  return `vec4f(bitcast<vec4i>(vec4u(${word}) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u)) * scale`;
}

/**
 * `fn NAME_at(row: u32, i: u32) -> vec4f`: values 4i .. 4i+3 of a row; with `width` 8 a mat2x4f of values
 * 8i .. 8i+7. Past the end of the row zero or, for integers, whatever fills the word: something finite,
 * that must meet a zero of the other factor. The caller keeps `row` inside the tensor and `i` inside
 * the row.
 */
export function weightReader(
  name: string,
  dtype: MatrixDType,
  length: number,
  width: Width = loadWidth(dtype, length),
): string {
  if (dtype === 'f32' || (width === 4 && !isQuantised(dtype)))
    return rowReader({ name, dtype, length });
  // Of int4 two loads of four values share a word.
  const isHalf = dtype === 'int4' && width === 4;
  const stride = width === 4 && isQuantised(dtype) ? quantWords(dtype, length) : length / 8;
  const scale = isQuantised(dtype) ? scaleAt(name, dtype, length, width) : '';
  return `
fn ${name}_at(row: u32, i: u32) -> ${width === 4 ? 'vec4f' : 'mat2x4f'} {
  ${scale}
  let words = ${name}[row * ${stride}u + i${isHalf ? ' / 2u' : ''}]${isHalf ? ' >> (16u * (i & 1u))' : ''};
  return ${width === 4 ? four(dtype, 4, 0) : `mat2x4f(${four(dtype, 8, 0)}, ${four(dtype, 8, 1)})`};
}`;
}

/** Declares the scale of values `width` * i and so on. */
const scaleAt = (
  name: string,
  dtype: QuantDType,
  length: number,
  width: Width,
): string => `let group = row * ${quantGroups(dtype, length)}u + i / ${QUANT_LAYOUT[dtype].group / width}u;
  let scale = ${valueAt(scalesOf(name), 'f16', 'group')};`;
