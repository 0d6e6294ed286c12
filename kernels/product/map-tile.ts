/** How the tiled product of feature maps divides its work, and what it multiplies with. */
import {
  assert,
  MATRIX_FEATURE,
  type MatrixConfig,
  PORTABLE,
  tileOf,
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
  readonly [setting: string]: number | string | boolean;
}

const sized = (
  math: MapMath,
  [tileM, tileN, eachM, eachN, slice]: readonly [number, number, number, number, number],
): MapTile => ({ tileM, tileN, eachM, eachN, slice, math });

export const MAP_TILE: MapTile = sized('f32', [64, 64, 4, 4, 16]);

/** Settings of a tile, by name. */
export const MAP_SETTINGS: readonly string[] = [
  ...['tileM', 'tileN', 'eachM', 'eachN', 'slice', 'math'],
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

/** Why a device cannot multiply so, or undefined. */
function missing(math: MapMath, { f16, matrix }: Variant): string | undefined {
  const needs = (feature: string): string =>
    `needs the device feature "${feature}", which this device or variant lacks`;
  if (math === 'f16') return f16 ? undefined : needs('shader-f16');
  if (math !== 'matrix') return undefined;
  if (!matrix) return `${needs(MATRIX_FEATURE)}, with sums in f32`;
  return matrix.operand === 'f16' && !f16 ? needs('shader-f16') : undefined;
}

/** Tiles worth measuring for products of maps on a device. */
export const mapTiles = (variant: Variant): readonly MapTile[] =>
  variant.reduce === 'serial'
    ? []
    : (['f32', 'f16', 'matrix'] as const).flatMap((math) =>
        missing(math, variant) ? [] : TILES[math],
      );

/**
 * The tile of a product of maps: `own`, but for what the variant says, whose `math` brings sizes of
 * its own.
 * @throws RangeError when the device cannot multiply so.
 */
export function mapTileOf<T extends MapTile>(
  variant: Variant = PORTABLE,
  family: string,
  shape: string,
  own: T,
): T {
  const { math } = tileOf<T>(variant, family, shape, own);
  const known = Object.keys(TILES);
  assert(known.includes(math), `${family}: math "${math}" expected one of ${known.join(', ')}`);
  const why = missing(math, variant);
  assert(!why, `${family}: math "${math}" ${why}`);
  const base = math === own.math ? own : { ...own, ...TILES[math][0] };
  return tileOf<T>(variant, family, shape, base);
}

/** The matrices of a variant that a tile is made with, if any. */
export const matrixOf = (tile: MapTile, { matrix }: Variant): MatrixConfig | undefined =>
  tile.math === 'matrix' ? matrix : undefined;
