/** A transformer's operations for hundreds of rows: tiled products, and norms of their own. */
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import type { ProductTile } from '../../kernels/product/product-tile.ts';
import { siluMul } from '../../kernels/product/silu-mul.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { attend } from './attention.ts';
import { encoderProduct } from './encoder-product.ts';
import { productFamily, wholeTile } from './product.ts';
import { type ProductParams, qkvDim, type TransformerOps } from './transformer.ts';
import type { Matrix } from './weights.ts';

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
  addProduct: encoderProduct,
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

/** x weight^T. */
const times = (
  g: Graph,
  { tile, ...params }: ProductParams & { readonly tile: Partial<ProductTile> },
  x: Tensor,
  weight: Matrix,
): Tensor => encoderProduct.call(g, params, { x, weight }, tile);
