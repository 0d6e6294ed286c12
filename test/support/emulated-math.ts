/**
 * Halves and matrices of subgroups on devices that have neither: plain WGSL in the place of what
 * kernels/lib/matrix-ops.ts prints, and f32 rounded to halves in the place of f16. All else of a kernel
 * stays: who loads what, where it lies, what is multiplied with what, barriers, borders and outputs.
 */
import { enable, type Kernel, MATRIX_FEATURE, type MatrixSizes } from '../../kernels/kernel.ts';
import { matrixTypes, rightOfOnes, SUBGROUP_ID } from '../../kernels/product/matrix-ops.ts';

/** Finds a text of which lines may have been broken behind commas. */
const finding = (text: string): RegExp =>
  new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(', ', ',\\s+'), 'g');

/** Text from `from` to `to`, every time; throws unless it is there. */
function swap(text: string, from: string, to: string): string {
  const found = finding(from);
  if (!found.test(text)) throw new Error(`nothing to emulate: no "${from}"`);
  return text.replaceAll(found, () => to);
}

/** Where an operand or a sum comes from or goes to, as the text says it. */
const LOADS = /subgroupMatrixLoad<(Left|Right|Sum),\s+(row|col)_major>\(\s*&(\w+),\s+/g;
const STORES = /subgroupMatrixStore<(row|col)_major>\(\s*&(\w+),\s+/g;

/** An array of a text that matrices are read from or written to. */
interface Lying {
  readonly name: string;
  /** Whether its lines lie along k, or of a sum along its rows. */
  readonly along: boolean;
  /** Elements are eight halves or four sums, or one value. */
  readonly isWide: boolean;
}

/** The arrays that a side's operands come from, or sums come from or go to. */
function arraysOf(code: string, side: string): readonly Lying[] {
  const all = [
    ...code.matchAll(LOADS),
    ...[...code.matchAll(STORES)].map((s) => [s[0], 'Sum', s[1], s[2]]),
  ];
  const own = all.filter(([, of]) => of === side);
  const names = [...new Set(own.map(([, , , name = '']) => name))];
  return names.map((name) => {
    const majors = new Set(own.filter((a) => a[3] === name).map(([, , major]) => major));
    if (majors.size !== 1) throw new Error(`${name} lies in two ways`);
    const along = majors.has(side === 'Right' ? 'col' : 'row');
    return { name, along, isWide: new RegExp(`\\b${name}: array<vec4u\\b`).test(code) };
  });
}

/** A value of an operand: of line i at depth j. */
function operandValue(side: 'Left' | 'Right', arrays: readonly Lying[]): string {
  const cases = arrays.map(({ name, along, isWide }, of) => {
    const at = along ? 'place.at + i * place.stride + j' : 'place.at + j * place.stride + i';
    const value = isWide
      ? `unpack2x16float(${name}[place.at + i * place.stride + j / 8u][j % 8u / 2u])[j % 2u]`
      : `${name}[${at}]`;
    if (isWide && !along) throw new Error(`${name} has eights across k`);
    return `if (place.source == ${of}u) { return ${value}; }`;
  });
  return `fn ${side}_value(place: ${side}, i: u32, j: u32) -> f32 {
  ${cases.join('\n  ')}
  return 1.0;
}`;
}

/**
 * An operand is the place it is read from, which stays as it is until the next barrier; of a sum, each
 * invocation of a subgroup holds every `subgroup_size`-th element, as many as the smallest one must.
 */
const matrices = ({ m, n, k }: MatrixSizes, smallest: number, code: string): string => `
const ONES = 0xffffffffu;
struct Left { source: u32, at: u32, stride: u32 }
struct Right { source: u32, at: u32, stride: u32 }
alias Sum = array<f32, ${Math.ceil((m * n) / smallest)}>;
var<private> own_lane: u32;
var<private> among: u32;
${operandValue('Left', arraysOf(code, 'Left'))}
${operandValue('Right', arraysOf(code, 'Right'))}
fn subgroupMatrixMultiplyAccumulate(a: Left, b: Right, sum: Sum) -> Sum {
  var made = sum;
  for (var i = own_lane; i < ${m * n}u; i += among) {
    for (var j = 0u; j < ${k}u; j++) {
      made[i / among] += Left_value(a, i / ${n}u, j) * Right_value(b, i % ${n}u, j);
    }
  }
  return made;
}`;

/** Functions that store sums to an array, and that load them unless it has no loads. */
function sumsOf({ m, n }: MatrixSizes, { name, along, isWide }: Lying): string {
  const at = along ? `at + i / ${n}u * stride + i % ${n}u` : '';
  const put = isWide
    ? `let r = i / ${n}u;
    ${name}[at + i % ${n}u * stride + r / 4u][r % 4u] = bitcast<u32>(sum[i / among]);`
    : `${name}[${at}] = sum[i / among];`;
  if (isWide === along) throw new Error(`sums in ${name} lie in a way that is not emulated`);
  const each = `for (var i = own_lane; i < ${m * n}u; i += among)`;
  const load = `
fn load_${name}(at: u32, stride: u32) -> Sum {
  var sum: Sum;
  ${each} { sum[i / among] = ${name}[${at}]; }
  return sum;
}`;
  const store = `
fn store_${name}(at: u32, sum: Sum, stride: u32) {
  ${each} { ${put} }
}`;
  return name === 'residual' ? load : store;
}

/** More parameters of `main`, and its first statements. */
const WITHIN = '@builtin(subgroup_invocation_id) own_: u32, @builtin(subgroup_size) among_: u32';
const BEGIN = `${SUBGROUP_ID}) {`;

function withoutMatrices(code: string, matrix: MatrixSizes, smallest: number): string {
  const sums = arraysOf(code, 'Sum');
  const texts = [matrices(matrix, smallest, code), ...sums.map((of) => sumsOf(matrix, of))];
  const numbers = { Left: arraysOf(code, 'Left'), Right: arraysOf(code, 'Right') };
  const ones = rightOfOnes(matrix);
  const replaced: readonly (readonly [from: string, to: string])[] = [
    [enable([MATRIX_FEATURE]), ''],
    ...(code.includes(ones) ? [[ones, 'Right(ONES, 0u, 0u)'] as const] : []),
    [matrixTypes(matrix), texts.join('')],
    [BEGIN, `${SUBGROUP_ID}, ${WITHIN}) {\n  own_lane = own_; among = among_;`],
  ];
  return replaced
    .reduce((text, [from, to]) => swap(text, from, to), code)
    .replace(LOADS, (_, side: 'Left' | 'Right' | 'Sum', _major, name: string) =>
      side === 'Sum'
        ? `load_${name}(`
        : `${side}(${numbers[side].findIndex((array) => array.name === name)}u, `,
    )
    .replace(STORES, (_, _major, name: string) => `store_${name}(`);
}

/** Conversions round to a half and keep the type f32. */
function withoutHalves(code: string): string {
  const text = swap(code, enable(['shader-f16']), '')
    .replaceAll('array<vec4<f16>', 'array<vec4f')
    .replaceAll('array<f16', 'array<f32')
    .replaceAll('bitcast<vec2<f16>>(', 'unpack2x16float(')
    .replaceAll('vec4<f16>(', 'quantizeToF16(')
    .replaceAll(/\bf16\(/g, 'quantizeToF16(');
  // Comments say of what type a tensor is.
  if (/\bf16\b/.test(text.replace(/\/\/.*$/gm, '')))
    throw new Error('a use of f16 that is not emulated');
  return text;
}

/** The kernel with plain WGSL for `matrix`, and for halves where the device has none. */
export function emulated<K extends Kernel>(device: GPUDevice, kernel: K, matrix?: MatrixSizes): K {
  const given = kernel.features ?? [];
  const replaced = [
    ...(matrix ? [MATRIX_FEATURE] : []),
    ...(device.features.has('shader-f16') ? [] : ['shader-f16']),
  ];
  let { code } = kernel;
  if (matrix) code = withoutMatrices(code, matrix, device.adapterInfo.subgroupMinSize ?? 4);
  if (given.includes('shader-f16') && replaced.includes('shader-f16')) code = withoutHalves(code);
  return { ...kernel, code, features: given.filter((f) => !replaced.includes(f)) };
}
