/** Products of a decoding step that are added to the residual stream, in the way that suits the adapter. */

import type { Columns } from '../../kernels/product/columns.ts';
import { type LinearParams, linear } from '../../kernels/product/linear.ts';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import type { ProductTile } from '../../kernels/product/product-tile.ts';
import { sumRows } from '../../kernels/product/sum-rows.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { productKey, type Tiles, tileOf } from '../ops/tiles.ts';
import { callParts, type Matrix } from './matrix.ts';

interface Split {
  /**
   * Parts of inDim that are summed by workgroups of their own, and put together by one dispatch more.
   * What they gain must be more than a dispatch costs, which only a measurement on the adapter can say
   * (`llamagen tune`); none was made on a GPU yet.
   */
  readonly split: number;
}

/** residual + x weight^T: one dispatch, or two where the tile cuts inDim into parts. */
export function linearPlus(
  g: Graph,
  params: Omit<LinearParams, 'columns' | 'normEps' | 'residual'>,
  weight: Matrix,
  { x, residual }: { readonly x: Tensor; readonly residual: Tensor },
  tiles: Tiles | undefined,
): Tensor {
  const { rows, outDim, dtype = 'f32' } = params;
  const found = tileOf<ProductTile & Split>(tiles, productKey({ ...params, dtype }));
  const { split = 1, ...tile } = found;
  if (split === 1) {
    const make = (columns?: Columns) =>
      linear({ ...params, tile, residual: true, ...(columns && { columns }) });
    return callParts(g, make, { weight }, { x, residual }).out;
  }
  const make = (columns?: Columns) =>
    linearParts({ ...params, tile, split, ...(columns && { columns }) });
  const { out: sums } = callParts(g, make, { weight }, { x });
  return g.call(sumRows({ parts: split, rows, dim: outDim }), { x: sums, residual }).out;
}
