import { gelu as kernel } from '../../../kernels/product/gelu.ts';
import { gelu as oracle } from '../../oracle/gelu.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

type GeluParams = Parameters<typeof kernel>[0];

export const gelu: KernelRecord<GeluParams> = record<GeluParams, { x: ArrayLike<number> }>({
  name: 'gelu',
  kernel,
  shown: { rows: 128, dim: 1280 },
  suites: [
    {
      cases: [
        { rows: 1, dim: 4 },
        { rows: 3, dim: 5 },
        { rows: 33, dim: 70 },
        { rows: 9, dim: 256 },
      ],
    },
  ],
  texts: [{ rows: 3, dim: 70 }],
  inputs: {
    // Some so large that their cube overflows.
    x: ({ rows, dim }) => normal(rows * dim, 1, 3).map((v, i) => (i % 31 === 30 ? v * 1e14 : v)),
  },
  oracle: (_, { x }) => ({ out: oracle(x) }),
  // Values up to about 12 in f32; those that are larger are what they were, or 0.
  tolerance: () => ({ nmse: 1e-12, max: 2e-6 }),
});
