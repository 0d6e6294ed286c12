/** Products of rows with weights: whole, cut by rows of the weight, or in parts of inDim. */
import type { MatrixDType, Variant } from '../../kernels/kernel.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { linear } from '../../kernels/product/linear.ts';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import {
  ownProductTile,
  type ProductShape,
  type ProductTile,
  productProblem,
  splitProblem,
} from '../../kernels/product/product-tile.ts';
import { productTiles } from '../../kernels/product/product-tiles.ts';
import { sumRows } from '../../kernels/product/sum-rows.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Operation } from './operation.ts';
import { callParts, type Matrix } from './weights.ts';

export interface ProductOpTile extends ProductTile {
  /**
   * Parts of inDim that are summed by workgroups of their own, and put together by one dispatch more;
   * only `addProduct` of few rows is made so. 1 is one dispatch, and the choice where nothing else was
   * measured: what parts gain must be more than a dispatch costs.
   */
  readonly split: number;
}

/** What products of rows are given. */
export interface RowsParams {
  readonly rows: number;
  /** Tiled products, and norms of their own, for hundreds of rows. Default false: fused, for dozens. */
  readonly many?: boolean | undefined;
  readonly variant: Variant;
}

export interface ProductOpParams extends RowsParams {
  readonly inDim: number;
  readonly outDim: number;
  readonly dtype: MatrixDType;
}

/** Key, tiles and limits of operations that multiply rows with a weight, or two. */
export function productFamily<P extends RowsParams>(
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

interface AddFed {
  readonly x: Tensor;
  readonly weight: Matrix;
  readonly residual: Tensor;
}

/** residual + x weight^T. */
export const addProduct: Operation<ProductOpParams, AddFed, ProductOpTile> = {
  ...productFamily((params) => params),
  call(g, { many, ...params }, { weight, ...fed }, { split = 1, ...tile }) {
    const { rows, outDim } = params;
    const whole = { ...params, tile, residual: true } as const;
    if (many) return callParts(g, (columns) => matmul({ ...whole, columns }), { weight }, fed).out;
    if (split === 1) {
      return callParts(g, (columns) => linear({ ...whole, columns }), { weight }, fed).out;
    }
    const parts = { ...params, tile, split };
    const { x, residual } = fed;
    const { out } = callParts(
      g,
      (columns) => linearParts({ ...parts, columns }),
      { weight },
      { x },
    );
    return g.call(sumRows({ parts: split, rows, dim: outDim }), { x: out, residual }).out;
  },
};

export interface NormProductParams extends ProductOpParams {
  readonly normEps: number;
}

interface NormProductFed {
  readonly x: Tensor;
  readonly gain: Tensor;
  readonly weight: Matrix;
}

/** RMSNorm(x) weight^T. */
export const normProduct: Operation<NormProductParams, NormProductFed, ProductOpTile> = {
  ...productFamily((params) => ({ ...params, norm: !params.many })),
  call(g, { many, normEps, ...params }, { weight, x, gain }, tile) {
    const whole = { ...params, tile: wholeTile(tile) };
    if (many) {
      return manyRows(g, whole, weight, rowsNormed(g, params, { x, gain }, params.inDim, normEps));
    }
    const fused = { ...whole, normEps };
    return callParts(g, (columns) => linear({ ...fused, columns }), { weight }, { x, gain }).out;
  },
};

/** RMSNorm of rows in a dispatch of its own. */
export const rowsNormed = (
  g: Graph,
  { rows, variant }: RowsParams,
  fed: { readonly x: Tensor; readonly gain: Tensor },
  dim: number,
  eps: number,
): Tensor => g.call(rmsNorm({ rows, dim, eps, variant }), fed).out;

/** x weight^T of many rows. */
export const manyRows = (
  g: Graph,
  params: Omit<ProductOpParams, 'many'> & { readonly tile: Partial<ProductTile> },
  weight: Matrix,
  x: Tensor,
): Tensor => callParts(g, (columns) => matmul({ ...params, columns }), { weight }, { x }).out;
