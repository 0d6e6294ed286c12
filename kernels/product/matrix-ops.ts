/**
 * WGSL for matrices that a subgroup holds together. Everything that only a device with the feature can
 * run is here, so that tests can put plain WGSL in its place (test/support/emulated-math.ts).
 * Source: Dawn, docs/dawn/features/subgroup_matrix.md, with the layouts as template parameters.
 */
import type { MatrixSizes } from '../kernel.ts';

/** Types `Left`, `Right` and `Sum`. */
export const matrixTypes = ({ m, n, k, operand }: MatrixSizes): string => `
alias Left = subgroup_matrix_left<${operand}, ${k}, ${m}>;
alias Right = subgroup_matrix_right<${operand}, ${n}, ${k}>;
alias Sum = subgroup_matrix_result<f32, ${n}, ${m}>;`;

/** The index of an invocation's subgroup, as a parameter of `main`. */
export const SUBGROUP_ID = '@builtin(subgroup_id) subgroup: u32';

/** A `Left` from the workgroup array `left`, whose columns are `stride` elements apart. */
export const loadLeft = (at: string, stride: number): string =>
  `subgroupMatrixLoad<Left, col_major>(&left, ${at}, ${stride}u)`;

/** A `Right` from the workgroup array `right`, whose rows are `stride` elements apart. */
export const loadRight = (at: string, stride: number): string =>
  `subgroupMatrixLoad<Right, row_major>(&right, ${at}, ${stride}u)`;

/**
 * A `Left` from an array, whose rows are `stride` elements apart. Places and distances count the elements of
 * the array, which may hold several values each.
 */
export const loadLeftRows = (at: string, stride: number, from = 'left'): string =>
  `subgroupMatrixLoad<Left, row_major>(&${from}, ${at}, ${stride}u)`;

/** A `Right` from an array, whose columns are `stride` elements apart; likewise. */
export const loadRightColumns = (at: string, stride: number, from = 'right'): string =>
  `subgroupMatrixLoad<Right, col_major>(&${from}, ${at}, ${stride}u)`;

/** A `Right` of ones. */
export const rightOfOnes = ({ operand }: MatrixSizes): string => `Right(${operand}(1.0))`;

/** A `Sum` from an array of f32 in memory, whose rows are `stride` elements apart. */
export const loadSum = (from: string, at: string, stride: number): string =>
  `subgroupMatrixLoad<Sum, row_major>(&${from}, ${at}, ${stride}u)`;

/** Writes a `Sum` to such an array. */
export const storeSumTo = (to: string, at: string, sum: string, stride: number): string =>
  `subgroupMatrixStore<row_major>(&${to}, ${at}, ${sum}, ${stride}u)`;

/** Writes a `Sum` to an array whose elements hold several values, its columns `stride` elements apart. */
export const storeSumColumns = (to: string, at: string, sum: string, stride: number): string =>
  `subgroupMatrixStore<col_major>(&${to}, ${at}, ${sum}, ${stride}u)`;

/** sum + a b. */
export const multiplyAdd = (a: string, b: string, sum: string): string =>
  `subgroupMatrixMultiplyAccumulate(${a}, ${b}, ${sum})`;

/** Writes a `Sum` to the workgroup array `sums`, row after row. */
export const storeSum = (at: string, sum: string, { n }: MatrixSizes): string =>
  storeSumTo('sums', at, sum, n);
