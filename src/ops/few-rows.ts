/** A transformer's operations for up to some dozens of rows: each fused into one dispatch, or in parts. */
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import type { Columns } from '../../kernels/product/columns.ts';
import { linear } from '../../kernels/product/linear.ts';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import { sumRows } from '../../kernels/product/sum-rows.ts';
import { swiglu } from '../../kernels/product/swiglu.ts';
import { attend } from './attention.ts';
import { productFamily, wholeTile } from './product.ts';
import { qkvDim, type TransformerOps } from './transformer.ts';
import { callParts } from './weights.ts';

export const fewRows: TransformerOps = {
  qkv: {
    ...productFamily((params) => {
      const { dim: inDim, dtype } = params;
      return { inDim, outDim: qkvDim(params), dtype, norm: true };
    }),
    call(g, params, { weight, ...inputs }, tile) {
      const all = { ...params, tile: wholeTile(tile) };
      return callParts(g, (columns) => qkvRopeCache({ ...all, columns }), { weight }, inputs).q;
    },
  },
  attention: attend,
  addProduct: {
    ...productFamily((params) => params),
    call(g, params, { weight, x, residual }, { split = 1, ...tile }) {
      const all = { ...params, tile };
      if (split === 1) {
        const whole = { ...all, residual: true } as const;
        const make = (columns?: Columns) => linear({ ...whole, columns });
        return callParts(g, make, { weight }, { x, residual }).out;
      }
      const make = (columns?: Columns) => linearParts({ ...all, split, columns });
      const { out: sums } = callParts(g, make, { weight }, { x });
      const { rows, outDim: dim } = params;
      return g.call(sumRows({ parts: split, rows, dim }), { x: sums, residual }).out;
    },
  },
  swiglu: {
    ...productFamily(({ dim, hiddenDim, dtype }) => {
      return { inDim: dim, outDim: hiddenDim, dtype, weights: 2, norm: true };
    }),
    call(g, params, { w1, w3, ...inputs }, tile) {
      const all = { ...params, tile: wholeTile(tile) };
      return callParts(g, (columns) => swiglu({ ...all, columns }), { w1, w3 }, inputs).out;
    },
  },
  normProduct: {
    ...productFamily((params) => ({ ...params, norm: true })),
    call(g, params, { weight, ...inputs }, tile) {
      const all = { ...params, tile: wholeTile(tile) };
      return callParts(g, (columns) => linear({ ...all, columns }), { weight }, inputs).out;
    },
  },
};
