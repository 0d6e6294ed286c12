/** The families of kernels that are tuned. */

import { attentionTiles } from '../../kernels/attention/attention-tile.ts';
import { convTiles } from '../../kernels/conv/conv2d.ts';
import { mapTiles } from '../../kernels/product/map-tile.ts';
import { productTiles } from '../../kernels/product/product-tile.ts';
import type { Families } from './tune.ts';

/** Tiles worth measuring by family; a family that is not here keeps its own choices. */
export const FAMILIES: Families = {
  // The own choice in parts, beside all ways to make the whole.
  product: (variant) => [
    ...productTiles(variant),
    ...(variant.reduce === 'serial' ? [] : [{ split: 2 }, { split: 4 }]),
  ],
  attention: (variant) =>
    (variant.reduce === 'serial' ? [1, 2, 4] : [1, 2, 4, 8]).flatMap((split) =>
      attentionTiles(variant).map((tile) => ({ split, ...tile })),
    ),
  conv: convTiles,
  map: mapTiles,
};
