import type { GatedMulParams } from '../../../kernels/product/gated-mul.ts';
import { geluMul as kernel } from '../../../kernels/product/gelu-mul.ts';
import { geluMul as oracle } from '../../oracle/gelu-mul.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

export const geluMul: KernelRecord<GatedMulParams> = record<
  GatedMulParams,
  Parameters<typeof oracle>[0]
>({
  name: 'gelu_mul',
  kernel,
  shown: { rows: 128, hiddenDim: 5120 },
  suites: [
    {
      cases: [
        { rows: 1, hiddenDim: 4 },
        { rows: 3, hiddenDim: 5 },
        { rows: 33, hiddenDim: 70 },
        { rows: 9, hiddenDim: 256 },
      ],
    },
  ],
  texts: [{ rows: 3, hiddenDim: 70 }],
  inputs: {
    // Some so far from 0 that the exponential alone would overflow.
    gate: ({ rows, hiddenDim }) =>
      normal(rows * hiddenDim, 1, 3).map((v, i) => (i % 7 === 3 ? 40 * v : v)),
    up: ({ rows, hiddenDim }) => normal(rows * hiddenDim, 2),
  },
  oracle: (_, inputs) => ({ out: oracle(inputs) }),
  // Values to 400; an exponential that WGSL allows a few units in the last place of its argument.
  tolerance: () => ({ nmse: 1e-11, max: 2e-4 }),
});
