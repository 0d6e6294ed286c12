/** The families of kernels that are tuned. */

import { attentionTiles } from '../../kernels/attention/attention-tile.ts';
import { convTiles } from '../../kernels/conv/conv2d.ts';
import { mapTiles } from '../../kernels/product/map-tile.ts';
import { productTiles } from '../../kernels/product/product-tile.ts';
import type { Families } from './tune.ts';

/** Tiles worth measuring by family; a family that is not here keeps its own choices. */
export const FAMILIES: Families = {
  product: productTiles,
  attention: attentionTiles,
  conv: convTiles,
  map: mapTiles,
};
