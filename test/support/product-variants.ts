/** The ways to make a product of feature maps (kernels/product/map-product.ts), and shapes to try. */
import { PORTABLE, type Variant } from '../../kernels/kernel.ts';
import type { MapTile } from '../../kernels/product/map-tile.ts';
import type { Suite } from '../records/record.ts';
import { SERIAL_LANES } from './variants.ts';

const SERIAL: Variant = { ...PORTABLE, reduce: 'serial' };

/** Tiles that are not square, with parts of other sizes. */
const TILES: readonly Partial<MapTile>[] = [
  { tileM: 16, tileN: 32, eachM: 4, eachN: 8, slice: 8 },
  { tileM: 32, tileN: 16, eachM: 8, eachN: 4, slice: 16 },
];

/** Cases with every way, of which `npm test` takes a few where there are barriers. */
export const mapSuites = <P extends object>(few: number, cases: readonly P[]): Suite<P>[] => [
  { variants: [SERIAL, SERIAL_LANES, PORTABLE], cases, few },
  ...TILES.map((tile) => ({
    variants: [PORTABLE],
    cases: cases.map((params) => ({ ...params, tile })),
    few,
  })),
];

/** Attention over pixels. */
export const PIXEL_SHAPES = [
  { images: 1, channels: 1, height: 1, width: 1 },
  { images: 2, channels: 5, height: 3, width: 5 },
  { images: 1, channels: 64, height: 4, width: 4 },
  { images: 2, channels: 10, height: 2, width: 9 },
  { images: 1, channels: 7, height: 10, width: 10 },
] as const;
