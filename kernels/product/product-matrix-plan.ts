/** How a product of few rows by matrices of subgroups divides its work, and which devices can make it. */
import { ceilDiv, MAX_WORKGROUP_BYTES, type MatrixSizes, type Variant } from '../kernel.ts';
import type { ProductShape, ProductTile } from './product-tile.ts';

/** Eights of values of a row that a subgroup has in a round. */
export const EIGHTS = 4;
/** Eights between rows in workgroup memory: none more, and rows would begin in the same banks. */
export const STRIDE: number = EIGHTS + 1;
/** Workgroups that keep a large GPU busy: an H200 has 132 multiprocessors. */
const ENOUGH_WORKGROUPS = 100;
/** Most registers of an invocation for weights on their way. */
const ON_THE_WAY = 64;

/** What a product by matrices depends on. */
export interface MatrixShape {
  readonly inDim: number;
  readonly outDim: number;
  readonly weights: number;
}

/** What a device allows. */
export interface MatrixLimits {
  readonly matrix: MatrixSizes;
  readonly invocations: number;
  readonly workgroupBytes: number;
}

/** How a workgroup divides its work, and what it needs for that. */
export interface MatrixPlan {
  /** Matrices of columns that each subgroup makes of each weight. */
  readonly across: number;
  /** Subgroups, which share inDim. */
  readonly parts: number;
  /** Invocations. */
  readonly size: number;
  /** Matrices of a round along inDim. */
  readonly steps: number;
  /** Rounds, and those whose weights are on their way. */
  readonly rounds: number;
  readonly ahead: number;
  /** Eights of workgroup memory that a subgroup has for its share of a round. */
  readonly region: number;
  /** Eights of workgroup memory in all: for shares of a round, and for sums of f32 after them. */
  readonly memory: number;
}

/** The settings of a tile that matrices have: `parts` subgroups share inDim, `columns` are a workgroup's. */
export type MatrixTile = Partial<Pick<ProductTile, 'columns' | 'parts'>>;

export function planOf(
  shape: MatrixShape,
  limits: MatrixLimits,
  { columns, parts }: MatrixTile = {},
): MatrixPlan {
  const { matrix, invocations } = limits;
  const { inDim, outDim, weights } = shape;
  const { m, n, k, lanes } = matrix;
  const plan = (across: number, own: number): MatrixPlan => {
    const count = across * weights;
    const rounds = ceilDiv(inDim, 8 * EIGHTS * own);
    const region = (2 * n + count * m) * STRIDE;
    const words = ceilDiv(m * EIGHTS, lanes) * 4 * count;
    const most = Math.max(1, Math.floor(ON_THE_WAY / words));
    return {
      ...{ across, parts: own, size: own * lanes, steps: (8 * EIGHTS) / k, rounds, region },
      ahead: rounds <= most ? rounds : 2 ** Math.floor(Math.log2(most)),
      memory: Math.max(own * region, (own * count * m * n) / 4),
    };
  };
  const most = Math.floor(invocations / lanes);
  const partsOf = (across: number): number =>
    parts ??
    [8, 7, 6, 5, 4, 3, 2].find(
      (p) => p <= most && bytesOf(plan(across, p), n) <= limits.workgroupBytes,
    ) ??
    1;
  const across =
    columns === undefined
      ? ([4, 2].find(
          (c) => c * weights <= 4 && outDim >= c * m * ENOUGH_WORKGROUPS && partsOf(c) >= 4,
        ) ?? 1)
      : columns / m;
  return plan(across, partsOf(across));
}

/** Workgroup memory of a plan, with what is found of the input and a flag. */
export const bytesOf = ({ memory, parts }: MatrixPlan, n: number): number =>
  16 * memory + 8 * n * parts + 4;

/**
 * Why a variant's matrices cannot make a product, or undefined where they can: weights are read as they are
 * stored, as halves.
 */
export function matrixProblem(
  { inDim, outDim, dtype, weights = 1, split = 1 }: ProductShape,
  variant: Variant,
  tile: Partial<ProductTile>,
): string | undefined {
  const { reduce, f16, matrix } = variant;
  if (dtype !== 'f16') return `math "matrix" multiplies weights of f16 as they are, got ${dtype}`;
  if (split > 1) return `math "matrix" takes inDim whole, got ${split} parts of it`;
  if (reduce === 'serial') return 'math "matrix" needs barriers, which a serial kernel has not';
  if (!f16) return 'math "matrix" needs the device feature "shader-f16", which this variant lacks';
  if (matrix?.operand !== 'f16') return 'math "matrix" needs products of halves with sums in f32';
  const limits = limitsOf(variant, matrix);
  return planProblem({ inDim, outDim, weights }, limits, tile);
}

/** What a variant allows products by its matrices. */
export const limitsOf = (
  { invocations = 256, workgroupBytes = MAX_WORKGROUP_BYTES }: Variant,
  matrix: MatrixSizes,
): MatrixLimits => ({ matrix, invocations, workgroupBytes });

function planProblem(
  shape: MatrixShape,
  limits: MatrixLimits,
  tile: MatrixTile,
): string | undefined {
  const { m, n, k, lanes } = limits.matrix;
  const plan = planOf(shape, limits, tile);
  const { across, parts, size } = plan;
  if (!Number.isInteger(across) || across < 1)
    return `math "matrix" has ${m} columns, or a few times as many, got ${tile.columns}`;
  if (!Number.isInteger(parts) || parts < 1)
    return `math "matrix" has one subgroup, or several, got ${tile.parts} parts`;
  const bytes = bytesOf(plan, n);
  if (
    m % 4 !== 0 ||
    k % 8 !== 0 ||
    (8 * EIGHTS) % k !== 0 ||
    size > limits.invocations ||
    bytes > limits.workgroupBytes
  )
    return `math "matrix" cannot be made of matrices of ${m}x${n}x${k} and subgroups of ${lanes}: ${size} invocations and ${bytes} bytes, at most ${limits.invocations} and ${limits.workgroupBytes}`;
  return shape.outDim % m === 0 && shape.inDim % k === 0
    ? undefined
    : `math "matrix" takes weights of whole matrices of ${m}x${k}, got [${shape.outDim}, ${shape.inDim}]`;
}
