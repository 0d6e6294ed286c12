/** Attention over a KV cache, and what fills the cache. */
import { attention as attentionKernel } from '../../kernels/attention/attention.ts';
import { attentionParts } from '../../kernels/attention/attention-parts.ts';
import {
  type AttentionShape,
  type AttentionTile,
  attentionProblem,
  attentionTiles,
  cutPositions,
  ownAttentionTile,
  splitProblem,
} from '../../kernels/attention/attention-tile.ts';
import { mergeAttention } from '../../kernels/attention/merge-attention.ts';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import type { MatrixDType } from '../../kernels/kernel.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Operation } from './operation.ts';
import {
  manyRows,
  type ProductOpTile,
  productFamily,
  type RowsParams,
  rowsNormed,
  wholeTile,
} from './product.ts';
import { callParts, type Matrix } from './weights.ts';

export interface QkvParams extends RowsParams, AttentionShape {
  readonly dim: number;
  readonly normEps: number;
  readonly dtype: MatrixDType;
}

interface QkvFed {
  readonly x: Tensor;
  readonly gain: Tensor;
  readonly weight: Matrix;
  readonly rope: Tensor;
  readonly rowTable: Tensor;
  /** Keys and values of the rows are written to it. */
  readonly kv: Tensor;
}

const widthOf = ({ nHead, nKvHead, headDim }: AttentionShape): number =>
  (nHead + 2 * nKvHead) * headDim;

/** The queries of rows; one dispatch for few rows, norm, product and `ropeCache` for many. */
export const qkv: Operation<QkvParams, QkvFed, ProductOpTile> = {
  ...productFamily((params) => ({
    ...{ inDim: params.dim, outDim: widthOf(params), dtype: params.dtype, norm: !params.many },
  })),
  call(g, { many, ...params }, { weight, ...fed }, tile) {
    const whole = wholeTile(tile);
    if (!many) {
      const make = { ...params, tile: whole };
      return callParts(g, (columns) => qkvRopeCache({ ...make, columns }), { weight }, fed).q;
    }
    const { dim, normEps, dtype, variant, ...cache } = params;
    const product = { rows: cache.rows, inDim: dim, outDim: widthOf(params), dtype, variant };
    const normed = rowsNormed(g, params, fed, dim, normEps);
    const made = manyRows(g, { ...product, tile: whole }, weight, normed);
    const { rope, rowTable, kv } = fed;
    return g.call(ropeCache(cache), { qkv: made, rope, rowTable, kv }).q;
  },
};

export interface AttentionOpTile extends AttentionTile {
  /**
   * Parts, at most, that the positions of a row are cut into; 1 is one dispatch without a merge, and the
   * choice where nothing else was measured. Parts are meant for one guided image of a small model on a
   * large GPU, which has more cores than there are workgroups (2 rows x 12 heads); they cost every
   * batch a dispatch in each layer, also the 192 workgroups of eight images, and the number of rows must
   * not choose.
   */
  readonly split: number;
}

interface AttentionFed {
  readonly q: Tensor;
  readonly kv: Tensor;
  readonly rowTable: Tensor;
}

/** One dispatch, or for few rows two where the tile cuts the positions into parts. */
export const attention: Operation<RowsParams & AttentionShape, AttentionFed, AttentionOpTile> = {
  key({ nHead, nKvHead, headDim, positions, kvDtype = 'f32' }) {
    return `attention ${kvDtype}[${nHead}/${nKvHead},${headDim},${positions}]`;
  },
  tiles: (variant) =>
    (variant.reduce === 'serial' ? [1, 2, 4] : [1, 2, 4, 8]).flatMap((split) =>
      attentionTiles(variant).map((tile) => ({ split, ...tile })),
    ),
  problem(params, { split = 1, ...tile }) {
    const { variant, positions } = params;
    const unsplit = splitProblem(split);
    if (unsplit) return unsplit;
    const { columns } = cutPositions(positions, split);
    const whole = { ...ownAttentionTile(params, variant), ...tile };
    return attentionProblem(whole, params, columns, variant);
  },
  call(g, { many, ...params }, fed, { split = 1, ...tile }) {
    if (many || split === 1) return g.call(attentionKernel({ ...params, tile }), fed).out;
    const { out: sums, peaks } = g.call(attentionParts({ ...params, split, tile }), fed);
    const { rows, nHead, headDim, positions } = params;
    const merge = mergeAttention({ rows, nHead, headDim, positions, split });
    return g.call(merge, { sums, peaks, rowTable: fed.rowTable }).out;
  },
};
