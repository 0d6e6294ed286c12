/**
 * Halves and matrices of subgroups on devices that have neither: plain WGSL in the place of what
 * kernels/lib/matrix-ops.ts prints, and f32 rounded to halves in the place of f16. All else of a kernel
 * stays: who loads what, where it lies, what is multiplied with what, barriers, borders and outputs.
 */
import { enable, type Kernel, MATRIX_FEATURE, type MatrixConfig } from '../../kernels/kernel.ts';
import {
  loadLeft,
  loadLeftRows,
  loadRight,
  loadRightColumns,
  loadSum,
  matrixTypes,
  rightOfOnes,
  SUBGROUP_ID,
  storeSumTo,
} from '../../kernels/product/matrix-ops.ts';

/** Finds a text of which lines may have been broken behind commas. */
const finding = (text: string): RegExp =>
  new RegExp(text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(', ', ',\\s+'), 'g');

/** Text from `from` to `to`, every time; throws unless it is there. */
function swap(text: string, from: string, to: string): string {
  const found = finding(from);
  if (!found.test(text)) throw new Error(`nothing to emulate: no "${from}"`);
  return text.replaceAll(found, () => to);
}

/** How the values of an operand lie in workgroup memory. */
interface Lying {
  /** Lines are along k, or across it. */
  readonly alongK: boolean;
  /** Elements are eight halves, or one value. */
  readonly byEights: boolean;
}

/** A value of an operand: of line i at depth j. */
function operandValue(side: 'left' | 'right', { alongK, byEights }: Lying): string {
  const at = alongK ? 'place.at + i * place.stride + j' : 'place.at + j * place.stride + i';
  const eight = `${side}[place.at + i * place.stride + j / 8u]`;
  const value = byEights
    ? `unpack2x16float(${eight}[j % 8u / 2u])[j % 2u]`
    : side === 'left'
      ? `left[${at}]`
      : `right[${at}]`;
  const type = side === 'left' ? 'Left' : 'Right';
  return `fn ${side}_value(place: ${type}, i: u32, j: u32) -> f32 {
  if (place.at == ONES) { return 1.0; }
  return ${value};
}`;
}

/**
 * An operand is the place it is read from, which stays as it is until the next barrier; of a sum, each
 * invocation of a subgroup holds every `subgroup_size`-th element, as many as the smallest one must.
 */
const matrices = ({ m, n, k }: MatrixConfig, smallest: number, lying: Lying): string => `
const ONES = 0xffffffffu;
struct Left { at: u32, stride: u32 }
struct Right { at: u32, stride: u32 }
alias Sum = array<f32, ${Math.ceil((m * n) / smallest)}>;
var<private> own: u32;
var<private> among: u32;
${operandValue('left', lying)}
${operandValue('right', lying)}
fn subgroupMatrixMultiplyAccumulate(a: Left, b: Right, sum: Sum) -> Sum {
  var made = sum;
  for (var i = own; i < ${m * n}u; i += among) {
    for (var j = 0u; j < ${k}u; j++) {
      made[i / among] += left_value(a, i / ${n}u, j) * right_value(b, i % ${n}u, j);
    }
  }
  return made;
}`;

const store = ({ m, n }: MatrixConfig, to: string): string => `
fn store_${to}(at: u32, sum: Sum, stride: u32) {
  for (var i = own; i < ${m * n}u; i += among) {
    ${to}[at + i / ${n}u * stride + i % ${n}u] = sum[i / among];
  }
}`;
const load = ({ m, n }: MatrixConfig, from: string): string => `
fn load_${from}(at: u32, stride: u32) -> Sum {
  var sum: Sum;
  for (var i = own; i < ${m * n}u; i += among) {
    sum[i / among] = ${from}[at + i / ${n}u * stride + i % ${n}u];
  }
  return sum;
}`;

/** More parameters of `main`, and its first statements. */
const WITHIN = '@builtin(subgroup_invocation_id) own_: u32, @builtin(subgroup_size) among_: u32';
const BEGIN = `${SUBGROUP_ID}) {`;

/** The part of a call before its own arguments. */
const head = (call: string): string => call.slice(0, call.indexOf('AT'));

function withoutMatrices(code: string, matrix: MatrixConfig, smallest: number): string {
  const alongK = code.includes(head(loadLeftRows('AT', 0)));
  const byEights = code.includes('left: array<vec4u');
  const [ofLeft, ofRight] = alongK ? [loadLeftRows, loadRightColumns] : [loadLeft, loadRight];
  const storeOf = (to: string): string => head(storeSumTo(to, 'AT', '', 0));
  const loadOf = (from: string): string => head(loadSum(from, 'AT', 0));
  const stores = ['sums', 'out'].filter((to) => finding(storeOf(to)).test(code));
  const loads = ['residual'].filter((from) => finding(loadOf(from)).test(code));
  const texts = [
    matrices(matrix, smallest, { alongK, byEights }),
    ...stores.map((to) => store(matrix, to)),
    ...loads.map((from) => load(matrix, from)),
  ];
  const ones = rightOfOnes(matrix);
  const replaced: readonly (readonly [from: string, to: string])[] = [
    [enable([MATRIX_FEATURE]), ''],
    ...(code.includes(ones) ? [[ones, 'Right(ONES, 0u)'] as const] : []),
    [matrixTypes(matrix), texts.join('')],
    [BEGIN, `${SUBGROUP_ID}, ${WITHIN}) {\n  own = own_; among = among_;`],
    [head(ofLeft('AT', 0)), 'Left('],
    [head(ofRight('AT', 0)), 'Right('],
    ...stores.map((to) => [storeOf(to), `store_${to}(`] as const),
    ...loads.map((from) => [loadOf(from), `load_${from}(`] as const),
  ];
  return replaced.reduce((text, [from, to]) => swap(text, from, to), code);
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
export function emulated<K extends Kernel>(device: GPUDevice, kernel: K, matrix?: MatrixConfig): K {
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
