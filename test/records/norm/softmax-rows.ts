import {
  softmaxRows as kernel,
  type SoftmaxRowsParams,
} from '../../../kernels/norm/softmax-rows.ts';
import { softmaxRows as oracle } from '../../oracle/spatial-attention.ts';
import { normal } from '../../support/random.ts';
import { VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';

export const softmaxRows: KernelRecord<SoftmaxRowsParams> = record<
  SoftmaxRowsParams,
  Parameters<typeof oracle>[1]
>({
  name: 'softmax_rows',
  kernel,
  shown: { rows: 576, length: 576 },
  suites: [
    {
      variants: VARIANTS,
      cases: [
        { rows: 1, length: 1 },
        { rows: 3, length: 15 },
        { rows: 33, length: 64 },
        { rows: 2, length: 1025 },
      ],
    },
  ],
  texts: [{ rows: 3, length: 70 }],
  inputs: { x: ({ rows, length }) => normal(rows * length, 5, 4) },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Probabilities; exp is good to a few units in the last place of its argument.
  tolerance: () => ({ nmse: 1e-10, max: 2e-6 }),
});
