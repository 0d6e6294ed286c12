/** The products of an encoder, and of a decoder that is given many rows: the tokens of prompts, or whole grids. */
import type { Columns } from '../../kernels/product/columns.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import { rowsProduct } from '../../kernels/product/rows-product.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Operation } from './operation.ts';
import { type ProductOpTile, productFamily, wholeTile } from './product.ts';
import type { ProductParams } from './transformer.ts';
import { callParts, type Matrix } from './weights.ts';

interface EncoderProductInputs {
  readonly x: Tensor;
  readonly weight: Matrix;
  /** Is added. */
  readonly residual?: Tensor | undefined;
}

/**
 * x weight^T (+ residual). Without barriers a weight of f32 is multiplied by the kernel
 * whose text serves all shapes, unless a tile says otherwise: these run once, so compiling counts.
 */
export const encoderProduct: Operation<ProductParams, EncoderProductInputs, ProductOpTile> = {
  ...productFamily((params) => params),
  call(g, params, { x, weight, residual }, tile) {
    const { rows, inDim, outDim, dtype, variant } = params;
    const inFours = inDim % 4 === 0 && outDim % 4 === 0;
    const isPlain = variant.reduce === 'serial' && dtype === 'f32' && inFours;
    if (isPlain && Object.keys(tile).length === 0) {
      const sizes = { rows, inDim, outDim };
      if (!residual) {
        const make = (columns?: Columns) => rowsProduct({ ...sizes, columns });
        return callParts(g, make, { weight }, { x }).out;
      }
      const make = (columns?: Columns) => rowsProduct({ ...sizes, residual: true, columns });
      return callParts(g, make, { weight }, { x, residual }).out;
    }
    const whole = { ...params, tile: wholeTile(tile) };
    if (!residual) {
      return callParts(g, (columns?: Columns) => matmul({ ...whole, columns }), { weight }, { x })
        .out;
    }
    const make = (columns?: Columns) => matmul({ ...whole, residual: true, columns });
    return callParts(g, make, { weight }, { x, residual }).out;
  },
};
