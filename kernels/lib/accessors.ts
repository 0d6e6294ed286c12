/**
 * How values of a tensor are stored, read and written, whatever the dtype. Kernels read rows four values
 * at a time, products eight where eight fit into 16 bytes; WGSL functions are named for the binding.
 *
 * Halves (f16 and bf16) are packed two to a word. Integers: a value is quant * scale, one scale for each
 * group of values along a row, so that zero is exact. int8: -127 .. 127, groups of 64. int4: -8 .. 7,
 * stored plus 8, groups of 32. The last group of a row may be shorter. Quants and scales are arrays of
 * their own:
 * - quants u32: int8 four to a word, int4 eight to a word, the first in the low bits; every row begins
 *   with a word, and what is left of its last word is not read.
 * - scales f16 [outDim, groups], packed two to a word like every f16 tensor, rows one after another.
 */
import {
  assert,
  type Binding,
  ceilDiv,
  type DType,
  type MatrixDType,
  type QuantDType,
  type Role,
  type TableDType,
  type Variant,
} from '../kernel.ts';

/** Values that share a scale, and values in a word. */
export const QUANT_LAYOUT: Readonly<
  Record<QuantDType, { readonly group: number; readonly perWord: number }>
> = {
  int8: { group: 64, perWord: 4 },
  int4: { group: 32, perWord: 8 },
};

/** Whether weights of this dtype come with scales. */
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

/** Groups of four in a row. */
export const quads = (length: number): number => ceilDiv(length, 4);

/** Values that are read at once. */
export type Width = 4 | 8;

/** Weights that a product reads at once: eight where that is at most 16 bytes in whole words, else four. */
export const loadWidth = (dtype: MatrixDType, inDim: number): Width =>
  dtype !== 'f32' && inDim % 8 === 0 ? 8 : 4;

/** A tensor of rows, as its binding and its functions see it. */
export interface Rows<D extends MatrixDType = MatrixDType> {
  /** Name of the binding. */
  readonly name: string;
  readonly dtype: D;
  /** Values in a row. */
  readonly length: number;
  /** Whether f16 is read as native halves, four at a time. */
  readonly nativeF16?: boolean | undefined;
  /** Values read at once; 8 needs rows of a multiple of 8. Default 4. */
  readonly width?: Width | undefined;
}

/** WGSL element of the array that holds such rows. */
function elementOf({ dtype, length, nativeF16 = false, width = 4 }: Omit<Rows, 'name'>): string {
  const whole = length % 4 === 0;
  if (dtype === 'f32') return whole ? 'vec4f' : 'f32';
  if (dtype === 'f16' && nativeF16) return whole ? 'vec4<f16>' : 'f16';
  if (width === 8) return { f16: 'vec4u', bf16: 'vec4u', int8: 'vec2u', int4: 'u32' }[dtype];
  return whole && !isQuantised(dtype) ? 'vec2u' : 'u32';
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

/**
 * The binding NAME [outDim, inDim] and, for integers, NAMEScales f16 [outDim, groups], for a reader of the
 * same width; by default that of `loadWidth`.
 */
export function weightBindings<N extends string>(
  name: N,
  shape: readonly [outDim: number, inDim: number],
  dtype: MatrixDType,
  { width, nativeF16 }: Pick<Rows, 'width' | 'nativeF16'> = {},
): Readonly<Record<N, Binding<'in'>>> {
  const [outDim, length] = shape;
  const element = elementOf({ dtype, length, nativeF16, width: width ?? loadWidth(dtype, length) });
  const bindings: Record<string, Binding<'in'>> = { [name]: { role: 'in', dtype, shape, element } };
  if (isQuantised(dtype)) {
    const groups = quantGroups(dtype, length);
    const scales = { role: 'in', dtype: 'f16', shape: [outDim, groups], element: 'u32' } as const;
    bindings[scalesOf(name)] = scales;
  }
  return bindings as Readonly<Record<N, Binding<'in'>>>;
}

/** Element `i` of a float tensor, `i` being a name: WGSL of f32. */
function valueAt({ name, dtype, nativeF16 }: Omit<Rows<TableDType>, 'length'>, i: string): string {
  if (dtype === 'f32') return `${name}[${i}]`;
  if (dtype === 'f16' && nativeF16) return `f32(${name}[${i}])`;
  const half = `${name}[${i} >> 1u] >> (16u * (${i} & 1u))`;
  // The upper half of a float is its bfloat16.
  return dtype === 'f16' ? `unpack2x16float(${half}).x` : `bitcast<f32>((${half}) << 16u)`;
}

/** `fn NAME_at(i: u32) -> f32`: element i of the binding NAME, whose rows are ragged or single values. */
export const valueReader = (name: string, dtype: 'f32' | 'f16'): string => `
fn ${name}_at(i: u32) -> f32 {
  return ${valueAt({ name, dtype }, 'i')};
}`;

/** Four values from two words of halves, or from a word of quants from bit `from` on: WGSL of vec4f. */
const UNPACKED = {
  f16: ([a, b]: readonly string[]) => `vec4f(unpack2x16float(${a}), unpack2x16float(${b}))`,
  bf16: ([a, b]: readonly string[]) =>
    `bitcast<vec4f>(vec4u(${a} << 16u, ${a} & 0xffff0000u, ${b} << 16u, ${b} & 0xffff0000u))`,
  // Shifts only: `unpack4xI8` is a language feature that not every browser has.
  int8: ([word]: readonly string[]) =>
    `vec4f(bitcast<vec4i>(vec4u(${word}) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u))`,
  int4: ([word]: readonly string[], from = 0) =>
    `vec4f(vec4i((vec4u(${word}) >> vec4u(${[0, 4, 8, 12].map((bit) => `${bit + from}u`).join(', ')})) & vec4u(15u)) - 8)`,
} as const;

/**
 * `fn NAME_at(row: u32, i: u32) -> vec4f`: values 4i .. 4i+3 of a row; with `width` 8 a mat2x4f of values
 * 8i .. 8i+7. Past the end of the row zero or, for integers, whatever fills the word: something finite,
 * that must meet a zero of the other factor. The caller keeps `row` inside the tensor and `i` inside
 * the row.
 */
export function rowReader(rows: Rows): string {
  const { name, dtype, length, width = 4 } = rows;
  assert(
    width === 4 || length % 8 === 0,
    `${name}: rows of ${length} values are read by fours, not by eights`,
  );
  const body = isQuantised(dtype)
    ? quantBody({ ...rows, dtype })
    : length % 4 === 0
      ? floatBody({ ...rows, dtype })
      : raggedBody({ ...rows, dtype });
  return `
fn ${name}_at(row: u32, i: u32) -> ${width === 8 ? 'mat2x4f' : 'vec4f'} {
  ${body.join('\n  ')}
}`;
}

function floatBody(rows: Rows<TableDType>): readonly string[] {
  const { name, dtype, length, nativeF16, width = 4 } = rows;
  const isNative = dtype === 'f16' && nativeF16;
  if (dtype === 'f32' || isNative) {
    const four = (i: string): string => (isNative ? `vec4f(${name}[${i}])` : `${name}[${i}]`);
    const start = `row * ${length / 4}u`;
    if (width === 4) return [`return ${four(`${start} + i`)};`];
    return [
      `let first = ${start} + 2u * i;`,
      `return mat2x4f(${four('first')}, ${four('first + 1u')});`,
    ];
  }
  const unpacked = UNPACKED[dtype];
  const words = `let words = ${name}[row * ${length / width}u + i];`;
  const low = unpacked(['words.x', 'words.y']);
  if (width === 4) return [words, `return ${low};`];
  return [words, ...wide(low, unpacked(['words.z', 'words.w']))];
}

/** Eight values from both halves. */
const wide = (low: string, high: string, scaled = ''): readonly string[] => [
  `let low = ${low};`,
  `let high = ${high};`,
  `return mat2x4f(low${scaled}, high${scaled});`,
];

const raggedBody = (rows: Rows<TableDType>): readonly string[] => [
  'var v = vec4f();',
  `for (var c = 0u; c < min(4u, ${rows.length}u - i * 4u); c++) {`,
  `  let at = row * ${rows.length}u + i * 4u + c;`,
  `  v[c] = ${valueAt(rows, 'at')};`,
  '}',
  'return v;',
];

function quantBody({ name, dtype, length, width = 4 }: Rows<QuantDType>): readonly string[] {
  const { group, perWord } = QUANT_LAYOUT[dtype];
  const scale = [
    `let group = row * ${quantGroups(dtype, length)}u + i / ${group / width}u;`,
    `let scale = ${valueAt({ name: scalesOf(name), dtype: 'f16' }, 'group')};`,
  ];
  const unpacked = UNPACKED[dtype];
  if (width === 8) {
    const words = `let words = ${name}[row * ${length / 8}u + i];`;
    const [low, high] =
      dtype === 'int8'
        ? [unpacked(['words.x']), unpacked(['words.y'])]
        : [unpacked(['words']), unpacked(['words'], 16)];
    return [...scale, words, ...wide(low, high, ' * scale')];
  }
  const first = `row * ${quantWords(dtype, length)}u`;
  const word =
    perWord === 4 ? `${name}[${first} + i]` : `${name}[${first} + i / 2u] >> (16u * (i & 1u))`;
  return [...scale, `let word = ${word};`, `return ${unpacked(['word'])} * scale;`];
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
