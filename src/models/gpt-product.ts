/** Products of a decoding step that are added to the residual stream, in the way that suits the adapter. */

import { PORTABLE } from '../../kernels/kernel.ts';
import type { Columns } from '../../kernels/product/columns.ts';
import { type LinearParams, linear } from '../../kernels/product/linear.ts';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import { productTile } from '../../kernels/product/product-tile.ts';
import { sumRows } from '../../kernels/product/sum-rows.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { callParts, type Matrix } from './matrix.ts';

/** residual + x weight^T: one dispatch, or two where the tile cuts inDim into parts. */
export function linearPlus(
  g: Graph,
  params: Omit<LinearParams, 'columns' | 'normEps' | 'residual'>,
  weight: Matrix,
  { x, residual }: { readonly x: Tensor; readonly residual: Tensor },
): Tensor {
  const { rows, outDim, dtype = 'f32', variant = PORTABLE } = params;
  const { split } = productTile('linear', { ...params, dtype }, variant);
  if (split === 1) {
    const make = (columns?: Columns) =>
      linear({ ...params, residual: true, ...(columns && { columns }) });
    return callParts(g, make, { weight }, { x, residual }).out;
  }
  const make = (columns?: Columns) =>
    linearParts({ ...params, split, ...(columns && { columns }) });
  const { out: sums } = callParts(g, make, { weight }, { x });
  return g.call(sumRows({ parts: split, rows, dim: outDim }), { x: sums, residual }).out;
}
