/**
 * Halves and matrices of subgroups on devices that have neither: plain WGSL in the place of what
 * kernels/lib/matrix-ops.ts prints, and f32 rounded to halves in the place of f16. All else of a kernel
 * stays: who loads what, where it lies, what is multiplied with what, barriers, borders and outputs.
 */
import { enable, type Kernel, MATRIX_FEATURE, type MatrixConfig } from '../../kernels/kernel.ts';
import { loadLeft, loadRight, matrixTypes, storeSum } from '../../kernels/lib/matrix-ops.ts';

/** Text from `from` to `to`, every time; throws unless it is there. */
function swap(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`nothing to emulate: no "${from}"`);
  return text.replaceAll(from, to);
}

/** Every invocation of a subgroup holds whole matrices, row after row, and writes all of them. */
const matrices = ({ m, n, k }: MatrixConfig): string => `
alias Left = array<f32, ${m * k}>;
alias Right = array<f32, ${k * n}>;
alias Sum = array<f32, ${m * n}>;
fn load_left(at: u32, stride: u32) -> Left {
  var made: Left;
  for (var i = 0u; i < ${m * k}u; i++) { made[i] = left[at + i % ${k}u * stride + i / ${k}u]; }
  return made;
}
fn load_right(at: u32, stride: u32) -> Right {
  var made: Right;
  for (var i = 0u; i < ${k * n}u; i++) { made[i] = right[at + i / ${n}u * stride + i % ${n}u]; }
  return made;
}
fn subgroupMatrixMultiplyAccumulate(a: Left, b: Right, sum: Sum) -> Sum {
  var made = sum;
  for (var i = 0u; i < ${m * n}u; i++) {
    for (var j = 0u; j < ${k}u; j++) { made[i] += a[i / ${n}u * ${k}u + j] * b[j * ${n}u + i % ${n}u]; }
  }
  return made;
}
fn store_sum(at: u32, sum: Sum, stride: u32) {
  for (var i = 0u; i < ${m * n}u; i++) { sums[at + i / ${n}u * stride + i % ${n}u] = sum[i]; }
}`;

/** The part of a call before its own arguments. */
const head = (call: string): string => call.slice(0, call.indexOf('AT'));

function withoutMatrices(code: string, matrix: MatrixConfig): string {
  const replaced: readonly (readonly [from: string, to: string])[] = [
    [enable([MATRIX_FEATURE]), ''],
    [matrixTypes(matrix), matrices(matrix)],
    [head(loadLeft('AT', 0)), 'load_left('],
    [head(loadRight('AT', 0)), 'load_right('],
    [head(storeSum('AT', '', matrix)), 'store_sum('],
  ];
  return replaced.reduce((text, [from, to]) => swap(text, from, to), code);
}

/** Conversions round to a half and keep the type f32. */
function withoutHalves(code: string): string {
  const text = swap(code, enable(['shader-f16']), '')
    .replaceAll('array<vec4<f16>', 'array<vec4f')
    .replaceAll('array<f16', 'array<f32')
    .replaceAll('vec4<f16>(', 'quantizeToF16(')
    .replaceAll(/\bf16\(/g, 'quantizeToF16(');
  if (/\bf16\b/.test(text)) throw new Error('a use of f16 that is not emulated');
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
  if (matrix) code = withoutMatrices(code, matrix);
  if (given.includes('shader-f16') && replaced.includes('shader-f16')) code = withoutHalves(code);
  return { ...kernel, code, features: given.filter((f) => !replaced.includes(f)) };
}
