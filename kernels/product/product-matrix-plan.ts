/** How a product of few rows by matrices of subgroups divides its work, and which devices can make it. */
import { MAX_WORKGROUP_BYTES, type MatrixSizes } from '../kernel.ts';

/** Eights of values of a row in workgroup memory: whole matrices for two and seven subgroups. */
export const EIGHTS = 28;
/** Eights between rows there: none more, and eight rows would begin in the same banks. */
export const STRIDE = 29;
/** Most invocations of a workgroup, where the device allows that many. */
const MOST = 512;
/** Workgroups that keep a large GPU busy. */
const ENOUGH_WORKGROUPS = 128;
/** Most matrices of weights that a subgroup has on their way, of 16x16 halves 512 bytes and four registers each. */
const ON_THE_WAY = 14;

/** What a product by matrices depends on. */
export interface MatrixShape {
  readonly inDim: number;
  readonly outDim: number;
  readonly weights: number;
  /** Most invocations of a workgroup. */
  readonly invocations?: number | undefined;
}

/** How a workgroup divides its work, and what it needs for that. */
export interface MatrixPlan {
  /** Matrices of columns, and subgroups that share inDim, which they do in slices of `8 * EIGHTS`. */
  readonly across: number;
  readonly parts: number;
  readonly subgroups: number;
  /** Invocations. */
  readonly size: number;
  /** Matrices of a slice along inDim that a subgroup has. */
  readonly steps: number;
  /** Slices of weights on their way. */
  readonly ahead: number;
  /** Eights of the workgroup memory for the input, and for sums of f32 after it. */
  readonly memory: number;
  /** Rows that all invocations load of at once. */
  readonly lines: number;
}

export function planOf(
  { m, n, k, lanes }: MatrixSizes,
  { outDim, weights, invocations = 256 }: MatrixShape,
  columns?: number,
): MatrixPlan {
  const most = Math.floor(Math.min(MOST, invocations) / lanes);
  /** Eights of workgroup memory for so many sums of f32. */
  const sums = (subgroups: number): number => (weights * subgroups * m * n) / 4;
  const fits = (subgroups: number): boolean =>
    subgroups <= most && bytesOf(sums(subgroups), n) <= MAX_WORKGROUP_BYTES;
  const several = [4, 3].find((c) => fits(2 * c)) ?? 1;
  const isMany = outDim >= several * m * ENOUGH_WORKGROUPS;
  const across = columns === undefined ? (isMany ? several : 1) : columns / m;
  const parts = [7, 2].find((p) => fits(p * across)) ?? 1;
  const subgroups = across * parts;
  const size = subgroups * lanes;
  const steps = (8 * EIGHTS) / k / parts;
  const ahead = 2 ** Math.floor(Math.log2(Math.max(1, ON_THE_WAY / (steps * weights))));
  const memory = Math.max(2 * n * STRIDE, sums(subgroups));
  const lines = Math.floor(size / EIGHTS);
  return { across, parts, subgroups, size, steps, ahead, memory, lines };
}

/** Workgroup memory of so many eights, scales and a flag. */
const bytesOf = (eights: number, n: number): number => 16 * eights + 8 * n + 4;

/** Why a device's matrices cannot make a product, or undefined where they can. */
export function matrixProblem(
  matrix: MatrixSizes,
  shape: MatrixShape,
  columns?: number,
): string | undefined {
  const { m, n, k, lanes } = matrix;
  const { across, size, steps, memory, lines } = planOf(matrix, shape, columns);
  const most = Math.min(MOST, shape.invocations ?? 256);
  if (columns !== undefined && (!Number.isInteger(across) || across < 1 || size > most))
    return `math "matrix" has ${m} columns, or a few times as many, got ${columns}`;
  const isWhole = m % 4 === 0 && k % 8 === 0 && Number.isInteger(steps) && lines > 0;
  if (!isWhole || size > most || bytesOf(memory, n) > MAX_WORKGROUP_BYTES)
    return `math "matrix" cannot be made of matrices of ${m}x${n}x${k} and subgroups of ${lanes}`;
  return shape.outDim % m === 0 && shape.inDim % k === 0
    ? undefined
    : `math "matrix" takes weights of whole matrices of ${m}x${k}, got [${shape.outDim}, ${shape.inDim}]`;
}
