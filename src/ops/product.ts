/** What products of rows with weights have in common: the key, the tiles and their limits. */
import type { Variant } from '../../kernels/kernel.ts';
import {
  ownProductTile,
  type ProductShape,
  type ProductTile,
  productProblem,
  splitProblem,
} from '../../kernels/product/product-tile.ts';
import { productTiles } from '../../kernels/product/product-tiles.ts';
import type { Operation } from './operation.ts';

export interface ProductOpTile extends ProductTile {
  /**
   * Parts of inDim that are summed by workgroups of their own, and put together by one dispatch more;
   * only `addProduct` of few rows is made so. 1 is one dispatch, and the choice where nothing else was
   * measured: what parts gain must be more than a dispatch costs.
   */
  readonly split: number;
}

/** Key, tiles and limits of operations that multiply rows with a weight, or two. */
export function productFamily<P extends { readonly variant: Variant }>(
  shapeOf: (params: P) => ProductShape,
): Omit<Operation<P, never, ProductOpTile>, 'call'> {
  return {
    key(params) {
      const { inDim, outDim, dtype, weights = 1 } = shapeOf(params);
      return `product ${weights > 1 ? `${weights} x ` : ''}${dtype}[${outDim},${inDim}]`;
    },
    // The own choice in parts, beside all ways to make the whole.
    tiles: (variant) => [
      ...productTiles(variant),
      ...(variant.reduce === 'serial' ? [] : [{ split: 2 }, { split: 4 }]),
    ],
    problem(params, { split = 1, ...tile }) {
      const shape = shapeOf(params);
      const whole = { ...ownProductTile(shape, params.variant), ...tile };
      return splitProblem(split) ?? productProblem(whole, shape, params.variant);
    },
  };
}

/** The settings of a tile that concern one dispatch. */
export function wholeTile({ split: _, ...tile }: Partial<ProductOpTile>): Partial<ProductTile> {
  return tile;
}
