/** The ways to run a product of feature maps. */
import { PORTABLE, type Variant } from '../../kernels/kernel.ts';
import type { MapTile } from '../../kernels/product/map-tile.ts';
import { deviceVariants, SERIAL_LANES } from './variants.ts';

/** A variant, what differs from its own choice, and what to call it. */
export interface TiledVariant {
  readonly title: string;
  readonly variant: Variant;
  readonly tile?: Partial<MapTile>;
}

/** The ways to make a product of feature maps (kernels/lib/map-product.ts) that a device can run. */
export const productVariants = (device: GPUDevice): readonly TiledVariant[] => {
  const tiles = [
    { tileM: 16, tileN: 32, eachM: 4, eachN: 8, slice: 8 },
    { tileM: 32, tileN: 16, eachM: 8, eachN: 4, slice: 16 },
  ];
  return [
    { title: 'serial', variant: { ...PORTABLE, reduce: 'serial' } },
    ...deviceVariants(device, [SERIAL_LANES]).map((variant) => ({
      title: 'serial quads',
      variant,
    })),
    { title: 'workgroup', variant: PORTABLE },
    ...tiles.map((tile) => ({
      title: `workgroup ${tile.tileM} x ${tile.tileN}`,
      variant: PORTABLE,
      tile,
    })),
  ];
};
