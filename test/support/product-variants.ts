/** The ways to run a product of feature maps. */
import { PORTABLE, type Variant } from '../../kernels/kernel.ts';
import { deviceVariants, SERIAL_LANES } from './variants.ts';

/** A variant with tiles, and what to call it. */
export interface TiledVariant {
  readonly title: string;
  readonly variant: Variant;
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
    ...tiles.map((map) => ({
      title: `workgroup ${map.tileM} x ${map.tileN}`,
      variant: { ...PORTABLE, tiles: { map } },
    })),
  ];
};
