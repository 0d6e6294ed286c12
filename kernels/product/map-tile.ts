/** How the tiled product of feature maps divides its work, and what it multiplies with. */
import {
  MATRIX_FEATURE,
  MAX_WORKGROUP_BYTES,
  type MatrixConfig,
  type MatrixSizes,
  type Variant,
} from '../kernel.ts';

/**
 * What the products are made with; sums are f32 always.
 * - f32: both operands as they are.
 * - f16: both operands rounded to halves in workgroup memory, half the bytes; multiplied as f32. What
 *   is beyond 65504 becomes infinite.
 * - matrix: by the matrices of subgroups, with operands of their type.
 */
export type MapMath = 'f32' | 'f16' | 'matrix';

/**
 * Tile sizes; each invocation makes `eachM` x `eachN` outputs, four columns at a time. With matrices
 * each subgroup does.
 */
export interface MapTile {
  readonly tileM: number;
  readonly tileN: number;
  readonly eachM: number;
  readonly eachN: number;
  /** Depth of the slices. */
  readonly slice: number;
  readonly math: MapMath;
}

const sized = (
  math: MapMath,
  [tileM, tileN, eachM, eachN, slice]: readonly [number, number, number, number, number],
): MapTile => ({ tileM, tileN, eachM, eachN, slice, math });

export const MAP_TILE: MapTile = sized('f32', [64, 64, 4, 4, 16]);

/** Settings of a tile, by name. */
export const MAP_SETTINGS: readonly (keyof MapTile)[] = [
  ...(['tileM', 'tileN', 'eachM', 'eachN', 'slice', 'math'] as const),
];

/** Tiles worth measuring; for few rows or columns some are wasteful, none is wrong. The own choice is first. */
const TILES: Readonly<Record<MapMath, readonly MapTile[]>> = {
  f32: [
    MAP_TILE,
    sized('f32', [64, 128, 4, 8, 16]),
    sized('f32', [128, 64, 8, 4, 16]),
    sized('f32', [128, 128, 8, 8, 16]),
    sized('f32', [32, 64, 4, 4, 16]),
    sized('f32', [64, 64, 8, 4, 8]),
  ],
  f16: [
    sized('f16', [64, 64, 4, 4, 16]),
    sized('f16', [64, 128, 4, 8, 16]),
    sized('f16', [128, 128, 8, 8, 32]),
  ],
  matrix: [
    sized('matrix', [64, 64, 32, 32, 16]),
    sized('matrix', [64, 64, 32, 32, 32]),
    sized('matrix', [32, 64, 16, 32, 32]),
    sized('matrix', [64, 128, 32, 32, 16]),
    sized('matrix', [128, 128, 64, 64, 16]),
  ],
};

/** Elements after each line of a slice, so that the lines of a matrix begin in different banks. */
const PAD = 8;
const MAX_INVOCATIONS = 256;

/** Why a device cannot multiply so, or undefined. */
function missing(math: MapMath, { f16, matrix }: Variant): string | undefined {
  const needs = (feature: string): string =>
    `needs the device feature "${feature}", which this device or variant lacks`;
  if (math === 'f16') return f16 ? undefined : needs('shader-f16');
  if (math !== 'matrix') return undefined;
  if (!matrix) return `${needs(MATRIX_FEATURE)}, with sums in f32`;
  return matrix.operand === 'f16' && !f16 ? needs('shader-f16') : undefined;
}

/** Tiles worth measuring for products of maps on a device; those of halves where the variant has leave. */
export const mapTiles = (variant: Variant): readonly MapTile[] =>
  variant.reduce === 'serial'
    ? []
    : (['f32', 'f16', 'matrix'] as const).flatMap((math) =>
        missing(math, variant) || (math !== 'f32' && !variant.halves) ? [] : TILES[math],
      );

/** The own choice: matrices where the variant has them and leave to round to halves, else f32. */
export function ownMapTile(variant: Variant): MapTile {
  const [matrix = MAP_TILE] = TILES.matrix;
  const fits = variant.halves && variant.reduce !== 'serial' && !mapProblem(matrix, variant);
  return fits ? matrix : MAP_TILE;
}

/** A tile that differs from `own` in some settings; its `math` brings sizes of its own. */
export function mapTile<T extends MapTile>(own: T, tile: Partial<T> = {}): T {
  const { math = own.math } = tile;
  return { ...own, ...(math !== own.math && TILES[math]?.[0]), ...tile };
}

/**
 * Why a device cannot make a product with a tile, or undefined where it can.
 * @param bytesOf Workgroup memory of a product by matrices.
 */
export function mapProblem(
  tile: MapTile,
  variant: Variant,
  bytesOf: (matrix: MatrixSizes) => number = (matrix) => matrixBytes(tile, matrix),
): string | undefined {
  const { math } = tile;
  const known = Object.keys(TILES);
  if (!known.includes(math)) return `math "${math}" expected one of ${known.join(', ')}`;
  const why = missing(math, variant);
  if (why) return `math "${math}" ${why}`;
  const matrix = matrixOf(tile, variant);
  if (!matrix) return laneProblem(tile);
  return matrixProblem(tile, matrix, bytesOf(matrix), workgroupBytes(variant));
}

/** Invocations of a workgroup without matrices. */
export const lanesOf = ({ tileM, tileN, eachM, eachN }: MapTile): number =>
  (tileM / eachM) * (tileN / eachN);

function laneProblem(tile: MapTile): string | undefined {
  const { tileM, tileN, eachM, eachN, slice, math } = tile;
  const size = lanesOf(tile);
  const bytes = (math === 'f16' ? 2 : 4) * slice * (tileM + tileN);
  const fits =
    [eachM, eachN, slice].every((v) => Number.isInteger(v) && v > 0 && v % 4 === 0) &&
    Number.isInteger(size) &&
    Math.min(tileM, tileN) > 0 &&
    tileM % eachM === 0 &&
    tileN % eachN === 0 &&
    size <= MAX_INVOCATIONS &&
    (slice * tileM) % (4 * size) === 0 &&
    (slice * tileN) % (4 * size) === 0 &&
    bytes <= MAX_WORKGROUP_BYTES;
  return fits
    ? undefined
    : `tile ${JSON.stringify(tile)} has ${size} invocations and ${bytes} bytes, at most ${MAX_INVOCATIONS} and ${MAX_WORKGROUP_BYTES}`;
}

/** How the subgroups of a workgroup share a tile. */
export interface MatrixPlan {
  /** Subgroups that multiply. Where they are smaller than they may be, there are more, which only load. */
  readonly subgroups: number;
  /** Subgroups of a row of the tile. */
  readonly across: number;
  /** Invocations of a workgroup. */
  readonly size: number;
  /** Elements from one k to the next in the slices. */
  readonly strides: Readonly<Record<'left' | 'right', number>>;
}

export function matrixPlan(tile: MapTile, { lanes }: MatrixSizes): MatrixPlan {
  const { tileM, tileN, eachM, eachN } = tile;
  const across = tileN / eachN;
  const subgroups = (tileM / eachM) * across;
  const strides = { left: tileM + PAD, right: tileN + PAD };
  return { subgroups, across, size: subgroups * lanes, strides };
}

function matrixBytes(tile: MapTile, matrix: MatrixSizes): number {
  const { m, n, operand } = matrix;
  const { subgroups, strides } = matrixPlan(tile, matrix);
  const width = operand === 'f16' ? 2 : 4;
  return width * tile.slice * (strides.left + strides.right) + 4 * subgroups * m * n;
}

/** Workgroup memory that a tile may take, in bytes. */
export const workgroupBytes = ({ workgroupBytes: most }: Variant): number =>
  most ?? MAX_WORKGROUP_BYTES;

function matrixProblem(
  tile: MapTile,
  matrix: MatrixSizes,
  bytes: number,
  most: number,
): string | undefined {
  const { tileM, tileN, eachM, eachN, slice } = tile;
  const { m, n, k } = matrix;
  const { size } = matrixPlan(tile, matrix);
  const wholes = [tileM / eachM, tileN / eachN, eachM / m, eachN / n, slice / k, eachM / 4];
  const fits =
    [...wholes, eachN / 4].every((v) => Number.isInteger(v) && v > 0) &&
    size <= MAX_INVOCATIONS &&
    bytes <= most;
  return fits
    ? undefined
    : `tile ${JSON.stringify(tile)} of ${m}x${n}x${k} matrices has ${size} invocations and ${bytes} bytes, at most ${MAX_INVOCATIONS} and ${most}; each subgroup needs whole matrices`;
}

/** The matrices of a variant that a tile is made with, if any. */
export const matrixOf = (tile: MapTile, { matrix }: Variant): MatrixConfig | undefined =>
  tile.math === 'matrix' ? matrix : undefined;
