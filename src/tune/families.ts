/** The families of kernels that are tuned. */
import { productTiles } from '../../kernels/lib/product-tile.ts';
import type { Families } from './tune.ts';

/** Tiles worth measuring by family; a family that is not here keeps its own choices. */
export const FAMILIES: Families = {
  product: productTiles,
};
