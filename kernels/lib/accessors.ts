/** How float tensors are stored, read and written: rows four values at a time; halves two to a word. */
import {
  type Binding,
  ceilDiv,
  type DType,
  type Reduce,
  type Role,
  type TableDType,
} from '../kernel.ts';

/** Groups of four in a row. */
export const quads = (length: number): number => ceilDiv(length, 4);

/** A tensor of rows, as its binding and its functions see it. */
export interface Rows<D extends TableDType = TableDType> {
  /** Name of the binding. */
  readonly name: string;
  readonly dtype: D;
  /** Values in a row. */
  readonly length: number;
}

/** WGSL element of the array that holds such rows. */
export function elementOf({ dtype, length }: Omit<Rows, 'name'>): string {
  const whole = length % 4 === 0;
  if (dtype === 'f32') return whole ? 'vec4f' : 'f32';
  return whole ? 'vec2u' : 'u32';
}

/** The binding of a tensor [..., length] of rows that `rowReader` or `rowWriter` addresses. */
export function rowBinding<R extends Role>(
  role: R,
  shape: readonly number[],
  dtype: TableDType = 'f32',
): Binding<R> & { readonly dtype: DType } {
  const length = shape.at(-1) ?? 1;
  return { role, dtype, shape, element: elementOf({ dtype, length }) };
}

/** Element `i` of a float tensor, `i` being a name: WGSL of f32. */
export function valueAt(name: string, dtype: TableDType, i: string): string {
  if (dtype === 'f32') return `${name}[${i}]`;
  const half = `${name}[${i} >> 1u] >> (16u * (${i} & 1u))`;
  // The upper half of a float is its bfloat16.
  return dtype === 'f16' ? `unpack2x16float(${half}).x` : `bitcast<f32>((${half}) << 16u)`;
}

/** `fn NAME_at(i: u32) -> f32`: element i of the binding NAME, whose rows are ragged or single values. */
export const valueReader = (name: string, dtype: 'f32' | 'f16'): string => `
fn ${name}_at(i: u32) -> f32 {
  return ${valueAt(name, dtype, 'i')};
}`;

/** Four values from two words of halves: WGSL of vec4f. */
export const fourHalves = (dtype: 'f16' | 'bf16', a: string, b: string): string =>
  dtype === 'f16'
    ? `vec4f(unpack2x16float(${a}), unpack2x16float(${b}))`
    : `bitcast<vec4f>(vec4u(${a} << 16u, ${a} & 0xffff0000u, ${b} << 16u, ${b} & 0xffff0000u))`;

/**
 * `fn NAME_at(row: u32, i: u32) -> vec4f`: values 4i .. 4i+3 of a row; zero past its end. The caller keeps
 * `row` inside the tensor and `i` inside the row.
 */
export function rowReader({ name, dtype, length }: Rows): string {
  const at = `${name}[row * ${length / 4}u + i]`;
  const body =
    length % 4 !== 0
      ? `var v = vec4f();
  for (var c = 0u; c < min(4u, ${length}u - i * 4u); c++) {
    let at = row * ${length}u + i * 4u + c;
    v[c] = ${valueAt(name, dtype, 'at')};
  }
  return v;`
      : dtype === 'f32'
        ? `return ${at};`
        : `let words = ${at};
  return ${fourHalves(dtype, 'words[0]', 'words[1]')};`;
  return `
fn ${name}_at(row: u32, i: u32) -> vec4f {
  ${body}
}`;
}

/**
 * `fn NAME_put(row: u32, i: u32, v: vec4f)`: writes values 4i .. 4i+3 of a row; what lies past the
 * end of the row is dropped. The caller keeps rows of f16 whole: a multiple of 4 values.
 */
export function rowWriter({ name, dtype, length }: Rows<'f32' | 'f16'>): string {
  const whole = length % 4 === 0;
  const at = `${name}[row * ${length / 4}u + i]`;
  const body = !whole
    ? `for (var c = 0u; c < min(4u, ${length}u - i * 4u); c++) {
    ${name}[row * ${length}u + i * 4u + c] = v[c];
  }`
    : dtype === 'f32'
      ? `${at} = v;`
      : `${at} = vec2u(pack2x16float(v.xy), pack2x16float(v.zw));`;
  return `
fn ${name}_put(row: u32, i: u32, v: vec4f) {
  ${body}
}`;
}

/** Features that sums need. */
export const reduceFeatures = (reduce: Reduce): readonly GPUFeatureName[] =>
  reduce === 'subgroup' ? ['subgroups'] : [];
