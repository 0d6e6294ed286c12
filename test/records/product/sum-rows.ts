import { sumRows as kernel, type SumRowsParams } from '../../../kernels/product/sum-rows.ts';
import { sumRows as oracle, type SumRowsInputs } from '../../oracle/sum-rows.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

export const sumRows: KernelRecord<SumRowsParams> = record<SumRowsParams, SumRowsInputs>({
  name: 'sum_rows',
  kernel,
  shown: { parts: 4, rows: 2, dim: 768 },
  suites: [
    {
      cases: [
        { parts: 2, rows: 1, dim: 4 },
        { parts: 3, rows: 5, dim: 70 },
        { parts: 16, rows: 2, dim: 9 },
      ],
    },
  ],
  texts: [{ parts: 3, rows: 2, dim: 70 }],
  inputs: {
    x: ({ parts, rows, dim }) => normal(parts * rows * dim, 1),
    residual: ({ rows, dim }) => normal(rows * dim, 2),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // In order, in f32: the same bits.
  tolerance: () => 'equal',
});
