/** The products of an encoder, and of a decoder that is given many rows: the tokens of prompts, or whole grids. */
import type { Kernel } from '../../kernels/kernel.ts';
import type { Columns } from '../../kernels/product/columns.ts';
import {
  type LinearBindings,
  linear,
  type ResidualLinearBindings,
} from '../../kernels/product/linear.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import { type ProductTile, productProblem } from '../../kernels/product/product-tile.ts';
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
 * x weight^T (+ residual). Where barriers are slow it is a product of few rows, or for a weight of f32
 * the kernel whose text serves all shapes, unless a tile says otherwise: these run once, so compiling counts.
 * Where matrices of subgroups can make it, it is a product of few rows as well, a matrix of rows beside another: an
 * H200 takes 0.65 s for 1904 rows of GPT-XL by tiles, and for sixteen rows 7 to 15 us a product by matrices.
 */
export const encoderProduct: Operation<ProductParams, EncoderProductInputs, ProductOpTile> = {
  ...productFamily((params) => params),
  call(g, params, { x, weight, residual }, tile) {
    if (!residual) {
      const make = (columns?: Columns) => productOf(params, tile, columns);
      return callParts(g, make, { weight }, { x }).out;
    }
    const make = (columns?: Columns) => addingProductOf(params, tile, columns);
    return callParts(g, make, { weight }, { x, residual }).out;
  },
};

type Kind = 'plain' | 'few rows' | 'tiled';

/** How it is made, and the tile of a product of few rows. */
interface Way {
  readonly kind: Kind;
  readonly tile: Partial<ProductTile>;
}

const wayOf = (params: ProductParams, asked: Partial<ProductOpTile>): Way => {
  const tile = wholeTile(asked);
  const { variant } = params;
  if (variant.reduce === 'serial') return { kind: withoutBarriers(params, tile), tile };
  // Settings for registers say nothing about so many rows.
  const byMatrices = { math: 'matrix', ...(tile.math === 'matrix' && tile) } as const;
  const isMade =
    tile.math !== 'f32' && variant.matrix && !productProblem(params, variant, byMatrices);
  return isMade ? { kind: 'few rows', tile: byMatrices } : { kind: 'tiled', tile };
};

function withoutBarriers({ inDim, outDim, dtype }: ProductParams, tile: object): Kind {
  const isOwnChoice = Object.keys(tile).length === 0;
  const isPlain = dtype === 'f32' && inDim % 4 === 0 && outDim % 4 === 0;
  return isPlain && isOwnChoice ? 'plain' : 'few rows';
}

function productOf(
  params: ProductParams,
  asked: Partial<ProductOpTile>,
  columns?: Columns,
): Kernel<LinearBindings> {
  const { rows, inDim, outDim } = params;
  const { kind, tile } = wayOf(params, asked);
  if (kind === 'plain') return rowsProduct({ rows, inDim, outDim, columns });
  if (kind === 'few rows') return linear({ ...params, columns, tile });
  return matmul({ ...params, columns });
}

function addingProductOf(
  params: ProductParams,
  asked: Partial<ProductOpTile>,
  columns?: Columns,
): Kernel<ResidualLinearBindings> {
  const { rows, inDim, outDim } = params;
  const { kind, tile } = wayOf(params, asked);
  const residual = true;
  if (kind === 'plain') return rowsProduct({ rows, inDim, outDim, residual, columns });
  if (kind === 'few rows') return linear({ ...params, residual, columns, tile });
  return matmul({ ...params, residual, columns });
}
