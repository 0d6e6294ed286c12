/** A transformer's operations for hundreds of rows: tiled products, and norms of their own. */
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import type { Columns } from '../../kernels/product/columns.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import type { ProductTile } from '../../kernels/product/product-tile.ts';
import { rowsProduct } from '../../kernels/product/rows-product.ts';
import { siluMul } from '../../kernels/product/swiglu.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { attend } from './attention.ts';
import type { Operation } from './operation.ts';
import { type ProductOpTile, productFamily, wholeTile } from './product.ts';
import { type ProductParams, qkvDim, type TransformerOps } from './transformer.ts';
import { callParts, type Matrix, type MatrixPart } from './weights.ts';

export const manyRows: TransformerOps = {
  qkv: {
    ...productFamily((params) => {
      const { dim: inDim, dtype } = params;
      return { inDim, outDim: qkvDim(params), dtype };
    }),
    call(g, params, { x, gain, weight, rope, rowTable, kv }, tile) {
      const { dim, normEps, dtype, variant, ...cache } = params;
      const product = { rows: cache.rows, inDim: dim, outDim: qkvDim(cache), dtype, variant };
      const normed = g.call(rmsNorm({ rows: cache.rows, dim, eps: normEps, variant }), { x, gain });
      const qkv = times(g, { ...product, tile: wholeTile(tile) }, normed.out, weight);
      return g.call(ropeCache(cache), { qkv, rope, rowTable, kv }).q;
    },
  },
  attention: attend,
  addProduct: {
    ...productFamily((params) => params),
    call(g, params, { weight, ...inputs }, tile) {
      const all = { ...params, tile: wholeTile(tile), residual: true } as const;
      if (hasSharedText(all, weight)) {
        const { rows, inDim, outDim } = params;
        const [part] = weight;
        const product = rowsProduct({ rows, inDim, outDim, residual: true });
        return g.call(product, { ...inputs, weight: part.values }).out;
      }
      return callParts(g, (columns) => matmul({ ...all, columns }), { weight }, inputs).out;
    },
  },
  swiglu: {
    ...productFamily(({ dim, hiddenDim, dtype }) => ({ inDim: dim, outDim: hiddenDim, dtype })),
    call(g, { rows, dim, hiddenDim, normEps, dtype, variant }, { x, gain, w1, w3 }, tile) {
      const sizes = { rows, inDim: dim, outDim: hiddenDim, dtype, variant };
      const product = { ...sizes, tile: wholeTile(tile) };
      const normed = g.call(rmsNorm({ rows, dim, eps: normEps, variant }), { x, gain }).out;
      const gate = times(g, product, normed, w1);
      const up = times(g, product, normed, w3);
      return g.call(siluMul({ rows, hiddenDim }), { gate, up }).out;
    },
  },
  normProduct: {
    ...productFamily((params) => params),
    call(g, { normEps, ...params }, { x, gain, weight }, tile) {
      const { rows, inDim: dim, variant } = params;
      const normed = g.call(rmsNorm({ rows, dim, eps: normEps, variant }), { x, gain }).out;
      return times(g, { ...params, tile: wholeTile(tile) }, normed, weight);
    },
  },
};

/** x weight^T of many rows, by itself. */
export const plainProduct: Operation<
  ProductParams,
  { readonly x: Tensor; readonly weight: Matrix },
  ProductOpTile
> = {
  ...productFamily((params) => params),
  call: (g, params, { x, weight }, tile) =>
    times(g, { ...params, tile: wholeTile(tile) }, x, weight),
};

/**
 * Whether a product is made by the kernel that has one text for all sizes: where there are no barriers, on
 * software adapters, compiling a text for each shape and number of rows takes longer than running it.
 */
function hasSharedText(
  { variant, dtype, inDim, outDim, tile }: ProductParams & { readonly tile: object },
  weight: Matrix,
): weight is readonly [MatrixPart] {
  const fits = dtype === 'f32' && inDim % 4 === 0 && outDim % 4 === 0 && weight.length === 1;
  return fits && variant.reduce === 'serial' && Object.keys(tile).length === 0;
}

/** x weight^T. */
const times = (
  g: Graph,
  params: ProductParams & { readonly tile: Partial<ProductTile> },
  x: Tensor,
  weight: Matrix,
): Tensor => {
  if (hasSharedText(params, weight)) {
    const { rows, inDim, outDim } = params;
    return g.call(rowsProduct({ rows, inDim, outDim }), { x, weight: weight[0].values }).out;
  }
  const make = (columns?: Columns) => matmul({ ...params, columns });
  return callParts(g, make, { weight }, { x }).out;
};
