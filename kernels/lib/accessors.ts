/** How float tensors are stored, read and written: rows four values at a time; halves two to a word. */
import {
  assert,
  type Binding,
  ceilDiv,
  type DType,
  type Role,
  type TableDType,
  type Variant,
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
  /** Whether f16 is read as native halves. */
  readonly nativeF16?: boolean | undefined;
}

/** WGSL element of the array that holds such rows. */
export function elementOf({ dtype, length, nativeF16 = false }: Omit<Rows, 'name'>): string {
  const whole = length % 4 === 0;
  if (dtype === 'f32') return whole ? 'vec4f' : 'f32';
  if (dtype === 'f16' && nativeF16) return whole ? 'vec4<f16>' : 'f16';
  return whole ? 'vec2u' : 'u32';
}

/** The binding of a tensor [..., length] of rows that `rowReader` or `rowWriter` addresses. */
export function rowBinding<R extends Role>(
  role: R,
  shape: readonly number[],
  dtype: TableDType = 'f32',
  variant?: Variant,
): Binding<R> & { readonly dtype: DType } {
  const length = shape.at(-1) ?? 1;
  return { role, dtype, shape, element: elementOf({ dtype, length, nativeF16: variant?.f16 }) };
}

/** Element `i` of a float tensor, `i` being a name: WGSL of f32. */
export function valueAt(name: string, dtype: TableDType, i: string, nativeF16 = false): string {
  if (dtype === 'f32') return `${name}[${i}]`;
  if (dtype === 'f16' && nativeF16) return `f32(${name}[${i}])`;
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
export function rowReader({ name, dtype, length, nativeF16 }: Rows): string {
  const at = `${name}[row * ${length / 4}u + i]`;
  const body =
    length % 4 !== 0
      ? `var v = vec4f();
  for (var c = 0u; c < min(4u, ${length}u - i * 4u); c++) {
    let at = row * ${length}u + i * 4u + c;
    v[c] = ${valueAt(name, dtype, 'at', nativeF16)};
  }
  return v;`
      : dtype === 'f32'
        ? `return ${at};`
        : dtype === 'f16' && nativeF16
          ? `return vec4f(${at});`
          : `let words = ${at};
  return ${fourHalves(dtype, 'words.x', 'words.y')};`;
  return `
fn ${name}_at(row: u32, i: u32) -> vec4f {
  ${body}
}`;
}

/**
 * `fn NAME_put(row: u32, i: u32, v: vec4f)`: writes values 4i .. 4i+3 of a row; what lies past the
 * end of the row is dropped. f16 rows must have a length that is a multiple of 4.
 */
export function rowWriter({ name, dtype, length }: Rows<'f32' | 'f16'>): string {
  const whole = length % 4 === 0;
  assert(
    whole || dtype === 'f32',
    `${name}: f16 rows are written four at a time, got a length of ${length}`,
  );
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

/** Features a kernel's text needs under a variant. */
export function variantFeatures(
  { reduce, f16 }: Variant,
  readsF16: boolean,
): readonly GPUFeatureName[] {
  const features: GPUFeatureName[] = [];
  if (reduce === 'subgroup') features.push('subgroups');
  if (f16 && readsF16) features.push('shader-f16');
  return features;
}
