/** The families of kernels that are tuned. */
import { convTiles } from '../../kernels/conv2d.ts';
import { attentionTiles } from '../../kernels/lib/attention-tile.ts';
import { mapTiles } from '../../kernels/lib/map-tile.ts';
import { productTiles } from '../../kernels/lib/product-tile.ts';
import type { Families } from './tune.ts';

/** Tiles worth measuring by family; a family that is not here keeps its own choices. */
export const FAMILIES: Families = {
  product: productTiles,
  attention: attentionTiles,
  conv: convTiles,
  map: mapTiles,
};
