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
  matrixTypes,
  SUBGROUP_ID,
  storeSum,
} from '../../kernels/product/matrix-ops.ts';

/** Text from `from` to `to`, every time; throws unless it is there. */
function swap(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`nothing to emulate: no "${from}"`);
  return text.replaceAll(from, to);
}

/**
 * An operand is the place it is read from, which stays as it is until the next barrier; of a sum, each
 * invocation of a subgroup holds every `subgroup_size`-th element, as many as the smallest one must.
 */
const matrices = ({ m, n, k }: MatrixConfig, smallest: number, alongK: boolean): string => `
struct Left { at: u32, stride: u32 }
struct Right { at: u32, stride: u32 }
alias Sum = array<f32, ${Math.ceil((m * n) / smallest)}>;
var<private> own: u32;
var<private> among: u32;
fn subgroupMatrixMultiplyAccumulate(a: Left, b: Right, sum: Sum) -> Sum {
  var made = sum;
  for (var i = own; i < ${m * n}u; i += among) {
    for (var j = 0u; j < ${k}u; j++) {
      made[i / among] += ${
        alongK
          ? `left[a.at + i / ${n}u * a.stride + j] * right[b.at + i % ${n}u * b.stride + j]`
          : `left[a.at + j * a.stride + i / ${n}u] * right[b.at + j * b.stride + i % ${n}u]`
      };
    }
  }
  return made;
}
fn store_sum(at: u32, sum: Sum, stride: u32) {
  for (var i = own; i < ${m * n}u; i += among) {
    sums[at + i / ${n}u * stride + i % ${n}u] = sum[i / among];
  }
}`;

/** More parameters of `main`, and its first statements. */
const WITHIN = '@builtin(subgroup_invocation_id) own_: u32, @builtin(subgroup_size) among_: u32';
const BEGIN = `${SUBGROUP_ID}) {`;

/** The part of a call before its own arguments. */
const head = (call: string): string => call.slice(0, call.indexOf('AT'));

function withoutMatrices(code: string, matrix: MatrixConfig, smallest: number): string {
  // Lines of operands along k, or across it.
  const alongK = code.includes(head(loadLeftRows('AT', 0)));
  const [ofLeft, ofRight] = alongK ? [loadLeftRows, loadRightColumns] : [loadLeft, loadRight];
  const replaced: readonly (readonly [from: string, to: string])[] = [
    [enable([MATRIX_FEATURE]), ''],
    [matrixTypes(matrix), matrices(matrix, smallest, alongK)],
    [BEGIN, `${SUBGROUP_ID}, ${WITHIN}) {\n  own = own_; among = among_;`],
    [head(ofLeft('AT', 0)), 'Left('],
    [head(ofRight('AT', 0)), 'Right('],
    [head(storeSum('AT', '', matrix)), 'store_sum('],
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
