import {
  rowsProduct as kernel,
  type RowsProductParams,
} from '../../../kernels/product/rows-product.ts';
import { type LinearInputs, linear as oracle } from '../../oracle/linear.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

/** Below, at and above the tile of 4 x 8; more tiles than a workgroup has invocations. */
const cases: readonly RowsProductParams[] = [
  { rows: 1, inDim: 4, outDim: 4 },
  { rows: 4, inDim: 12, outDim: 8 },
  { rows: 5, inDim: 36, outDim: 12 },
  { rows: 35, inDim: 68, outDim: 100 },
  { rows: 3, inDim: 20, outDim: 4, residual: true },
  { rows: 33, inDim: 16, outDim: 92, residual: true },
];

export const rowsProduct: KernelRecord<RowsProductParams> = record<
  RowsProductParams,
  Omit<LinearInputs, 'gain'>
>({
  name: 'rows_product',
  kernel: (params) => kernel(params as RowsProductParams & { residual: true }),
  shown: { rows: 24, inDim: 256, outDim: 1024 },
  suites: [{ cases }],
  texts: [
    { rows: 5, inDim: 36, outDim: 12 },
    { rows: 5, inDim: 36, outDim: 12, residual: true },
  ],
  inputs: {
    x: ({ rows, inDim }) => normal(rows * inDim, 1),
    weight: ({ inDim, outDim }) => normal(outDim * inDim, 2, 0.3),
    residual: ({ rows, outDim }) => normal(rows * outDim, 4),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // f32 sums of up to 68 products.
  tolerance: () => ({ nmse: 1e-11, max: 1e-4 }),
  sampled: { size: 'outDim', axes: { weight: 0, residual: 1, out: 1 } },
});
