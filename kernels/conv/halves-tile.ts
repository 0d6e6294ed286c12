/** How a convolution of halves divides its work. */
import type { MatrixSizes, Variant } from '../kernel.ts';
import {
  MAP_TILE,
  type MapTile,
  type MatrixPlan,
  mapProblem,
  matrixOf,
  matrixPlan,
  workgroupBytes,
} from '../product/map-tile.ts';

/** Input channels are a multiple of this: slices are of one tap, and read by eights. */
export const HALVES_CHANNELS = 32;
/** Halves that one load brings. */
export const LOAD = 8;
/** Loads after each line of a slice, so that the lines of a matrix begin in different banks. */
const PAD = 1;

const sized = (
  ...[tileM, tileN, eachM, eachN, slice]: readonly [number, number, number, number, number]
): MapTile => ({ tileM, tileN, eachM, eachN, slice, math: 'matrix' });

/** A result of matrices of any size. */
const WHOLE = { m: 0, n: 0 };
/** Tiles worth measuring by matrices. The first is for layers of many pixels, the second for the others. */
const LARGE: MapTile = sized(128, 128, 64, 64, 16);
const SMALL: MapTile = sized(64, 64, 32, 32, 32);
export const HALVES_TILES: readonly MapTile[] = [
  ...[LARGE, SMALL],
  // More than 16 KiB of workgroup memory.
  ...[sized(128, 128, 64, 64, 32), sized(128, 128, 64, 32, 32)],
  // Eight subgroups.
  ...[sized(128, 128, 64, 32, 16), sized(128, 128, 32, 64, 16), sized(128, 64, 32, 32, 32)],
  ...[sized(64, 128, 32, 64, 32), sized(128, 64, 64, 32, 32), sized(64, 64, 32, 32, 16)],
];

/** Tiles worth measuring on a device, for results of whole matrices at least. */
export const halvesTiles = (variant: Variant): readonly MapTile[] =>
  [...HALVES_TILES, MAP_TILE].filter(
    (tile) => variant.halves && variant.reduce !== 'serial' && !halvesProblem(tile, variant, WHOLE),
  );

/**
 * The own choice where matrices multiply: large tiles where there are enough of them.
 * @param wanted Workgroups that a layer should have.
 */
export function halvesTile(
  { outChannels, pixels }: { readonly outChannels: number; readonly pixels: number },
  wanted: number,
  variant: Variant,
): MapTile {
  const large = Math.ceil(pixels / LARGE.tileN) * Math.ceil(outChannels / LARGE.tileM);
  const isLarge = large >= wanted && outChannels > SMALL.tileM;
  return isLarge && !halvesProblem(LARGE, variant) ? LARGE : SMALL;
}

/** How the subgroups of a workgroup share a tile, and where things lie. */
export interface HalvesPlan extends Omit<MatrixPlan, 'strides'> {
  /** Loads from one line of a slice to the next. */
  readonly stride: number;
  /** Loads of an invocation for a slice of each side. */
  readonly loads: Readonly<Record<'left' | 'right', number>>;
  /** Workgroup memory. */
  readonly bytes: number;
}

/**
 * Whether a result of m lines, in which n pixels or a multiple of them lie next to each other, is made of whole
 * matrices, which need not be taken apart then.
 */
export const fitsMatrices = (
  { m, n }: { readonly m: number; readonly n: number },
  matrix: MatrixSizes,
): boolean => m % matrix.m === 0 && n % matrix.n === 0;

/** @param fits Whether the result is made of whole matrices. */
export function halvesPlan(tile: MapTile, matrix: MatrixSizes, fits: boolean): HalvesPlan {
  const { subgroups, across, size } = matrixPlan(tile, matrix);
  const stride = tile.slice / LOAD + PAD;
  const loads = (lines: number): number => (lines * tile.slice) / LOAD / size;
  return {
    ...{ subgroups, across, size, stride },
    loads: { left: loads(tile.tileM), right: loads(tile.tileN) },
    bytes:
      2 * LOAD * stride * (tile.tileM + tile.tileN) +
      (fits ? 0 : 4 * subgroups * matrix.m * matrix.n),
  };
}

/**
 * Why a convolution of halves cannot be made with a tile, or undefined where it can.
 * @param result As of `fitsMatrices`. Default: any.
 */
export function halvesProblem(
  tile: MapTile,
  variant: Variant,
  result: { readonly m: number; readonly n: number } = { m: 1, n: 1 },
): string | undefined {
  if (tile.math === 'f16') return 'halves are multiplied as f32 or by matrices, not as "f16"';
  const planOf = (matrix: MatrixSizes): HalvesPlan =>
    halvesPlan(tile, matrix, fitsMatrices(result, matrix));
  const problem = mapProblem(tile, variant, (matrix) => planOf(matrix).bytes);
  const matrix = matrixOf(tile, variant);
  if (problem || !matrix) return problem;
  if (matrix.operand !== 'f16') return 'matrices of f32 multiply no halves';
  const { loads, bytes } = planOf(matrix);
  const most = workgroupBytes(variant);
  const fits =
    [loads.left, loads.right, matrix.k / LOAD].every(Number.isInteger) &&
    HALVES_CHANNELS % tile.slice === 0 &&
    bytes <= most;
  return fits
    ? undefined
    : `tile ${JSON.stringify(tile)} is loaded by ${loads.left} and ${loads.right} loads of an invocation into ${bytes} bytes, at most ${most}, in slices of one tap`;
}
