/** The gate of the feed-forward layer: silu(norm(x) w1^T) * (norm(x) w3^T). */
import type { MatrixDType } from '../../kernels/kernel.ts';
import { siluMul, swiglu as swigluKernel } from '../../kernels/product/swiglu.ts';
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

interface SwigluOpParams extends RowsParams {
  readonly dim: number;
  readonly hiddenDim: number;
  readonly normEps: number;
  readonly dtype: MatrixDType;
}

interface SwigluFed {
  readonly x: Tensor;
  readonly gain: Tensor;
  readonly w1: Matrix;
  readonly w3: Matrix;
}

/** One dispatch for few rows; norm, two products and `siluMul` for many. */
export const swiglu: Operation<SwigluOpParams, SwigluFed, ProductOpTile> = {
  ...productFamily(({ dim, hiddenDim, dtype, many }) => ({
    ...{ inDim: dim, outDim: hiddenDim, dtype, weights: many ? 1 : 2, norm: !many },
  })),
  call(g, { many, ...params }, { w1, w3, ...fed }, tile) {
    const whole = wholeTile(tile);
    if (!many) {
      const make = { ...params, tile: whole };
      return callParts(g, (columns) => swigluKernel({ ...make, columns }), { w1, w3 }, fed).out;
    }
    const { rows, dim, hiddenDim, normEps, dtype, variant } = params;
    const product = { rows, inDim: dim, outDim: hiddenDim, dtype, variant, tile: whole };
    const normed = rowsNormed(g, params, fed, dim, normEps);
    const gate = manyRows(g, product, w1, normed);
    const up = manyRows(g, product, w3, normed);
    return g.call(siluMul({ rows, hiddenDim }), { gate, up }).out;
  },
};
