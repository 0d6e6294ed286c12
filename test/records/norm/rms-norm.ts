import { rmsNorm as kernel, type RmsNormParams } from '../../../kernels/norm/rms-norm.ts';
import { rmsNorm as oracle } from '../../oracle/rms-norm.ts';
import { normal } from '../../support/random.ts';
import { VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';

const cases: readonly RmsNormParams[] = [
  { rows: 1, dim: 4 },
  { rows: 2, dim: 36 },
  { rows: 3, dim: 5 },
  { rows: 5, dim: 70 },
  { rows: 9, dim: 256 },
  { rows: 17, dim: 100 },
  { rows: 33, dim: 1 },
  { rows: 2, dim: 1000 },
  // So large an eps outweighs the values, so small a one is nothing beside them.
  { rows: 3, dim: 100, eps: 10 },
  { rows: 3, dim: 100, eps: 1e-12 },
];

export const rmsNorm: KernelRecord<RmsNormParams> = record<
  RmsNormParams,
  Parameters<typeof oracle>[1]
>({
  name: 'rms_norm',
  kernel,
  shown: { rows: 2, dim: 768 },
  suites: [{ variants: VARIANTS, cases }],
  texts: [70, 36].map((dim) => ({ rows: 3, dim })),
  inputs: {
    x: ({ rows, dim }) => normal(rows * dim, 1, 3),
    gain: ({ dim }) => normal(dim, 2, 0.5, 1),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // f32 sums of up to 1000 squares are good to about 1e-6; values reach about 10.
  tolerance: () => ({ nmse: 1e-11, max: 2e-5 }),
});
