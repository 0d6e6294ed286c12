/** Access to tensors of rows in groups of four values, whatever the dtype and the row length. */
import { wgsl } from 'wgsl-preprocessor/wgsl-preprocessor.js';
import {
  type Binding,
  ceilDiv,
  type DType,
  type Role,
  type TableDType,
  type Variant,
} from '../kernel.ts';

export interface RowsParams {
  /** Name of the binding. */
  readonly name: string;
  readonly dtype: TableDType;
  /** Values in a row. */
  readonly length: number;
  /** Whether f16 is read as native halves. */
  readonly nativeF16?: boolean;
}

/** WGSL array element of a tensor whose rows are read or written four values at a time. */
export function rowElement({ dtype, length, nativeF16 }: RowsParams): string {
  const whole = length % 4 === 0;
  if (dtype === 'f32') return whole ? 'vec4f' : 'f32';
  if (dtype === 'f16' && nativeF16) return whole ? 'vec4<f16>' : 'f16';
  return whole ? 'vec2u' : 'u32';
}

/** A binding of shape [..., length] that `rowReader` or `rowWriter` can address. */
export function rowBinding<R extends Role>(
  role: R,
  shape: readonly number[],
  dtype: TableDType = 'f32',
  variant?: Variant,
): Binding<R> & { readonly dtype: DType } {
  const length = shape.at(-1) ?? 1;
  const nativeF16 = variant?.f16 ?? false;
  return { role, dtype, shape, element: rowElement({ name: '', dtype, length, nativeF16 }) };
}

/**
 * `fn NAME_at(row: u32, i: u32) -> vec4f`: values 4i .. 4i+3 of a row; past the end of the row, zero.
 * The caller keeps `row` inside the tensor and `i` below ceil(length / 4).
 */
export function rowReader(params: RowsParams): string {
  const { name, dtype, length, nativeF16 = false } = params;
  const whole = length % 4 === 0;
  const packed = dtype === 'f16' && !nativeF16;
  const brain = dtype === 'bf16';
  let scalar = `f32(${name}[base + c])`;
  if (packed) scalar = `unpack2x16float(${name}[(base + c) >> 1u])[(base + c) & 1u]`;
  // The upper half of a float is its bfloat16.
  const half = `(${name}[(base + c) >> 1u] >> (16u * ((base + c) & 1u)))`;
  if (brain) scalar = `bitcast<f32>(${half} << 16u)`;
  return wgsl`
#if ${whole && brain}
fn ${name}_at(row: u32, i: u32) -> vec4f {
  let words = ${name}[row * ${length / 4}u + i];
  return bitcast<vec4f>(vec4u(words.x << 16u, words.x & 0xffff0000u, words.y << 16u, words.y & 0xffff0000u));
}
#elif ${whole && packed}
fn ${name}_at(row: u32, i: u32) -> vec4f {
  let words = ${name}[row * ${length / 4}u + i];
  return vec4f(unpack2x16float(words.x), unpack2x16float(words.y));
}
#elif ${whole}
fn ${name}_at(row: u32, i: u32) -> vec4f { return vec4f(${name}[row * ${length / 4}u + i]); }
#else
fn ${name}_at(row: u32, i: u32) -> vec4f {
  let base = row * ${length}u + i * 4u;
  var v = vec4f();
  for (var c = 0u; c < min(4u, ${length}u - i * 4u); c++) { v[c] = ${scalar}; }
  return v;
}
#endif`;
}

/**
 * `fn NAME_put(row: u32, i: u32, v: vec4f)`: writes values 4i .. 4i+3 of a row; what lies past the
 * end of the row is dropped. f16 rows must have a length that is a multiple of 4.
 */
export function rowWriter({
  name,
  dtype,
  length,
}: Omit<RowsParams, 'nativeF16' | 'dtype'> & { readonly dtype: 'f32' | 'f16' }): string {
  const whole = length % 4 === 0;
  if (dtype === 'f16' && !whole) {
    throw new RangeError(`${name}: f16 rows are written four at a time, got a length of ${length}`);
  }
  return wgsl`
#if ${dtype === 'f16'}
fn ${name}_put(row: u32, i: u32, v: vec4f) {
  ${name}[row * ${length / 4}u + i] = vec2u(pack2x16float(v.xy), pack2x16float(v.zw));
}
#elif ${whole}
fn ${name}_put(row: u32, i: u32, v: vec4f) { ${name}[row * ${length / 4}u + i] = v; }
#else
fn ${name}_put(row: u32, i: u32, v: vec4f) {
  for (var c = 0u; c < min(4u, ${length}u - i * 4u); c++) { ${name}[row * ${length}u + i * 4u + c] = v[c]; }
}
#endif`;
}

/** Groups of four in a row. */
export const quads = (length: number): number => ceilDiv(length, 4);

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
