import { type GroupNormParams, groupNorm as kernel } from '../../../kernels/norm/group-norm.ts';
import { type GroupNormInputs, groupNorm as oracle } from '../../oracle/group-norm.ts';
import { normal } from '../../support/random.ts';
import { VARIANTS } from '../../support/variants.ts';
import { type KernelRecord, record } from '../record.ts';

const cases: readonly GroupNormParams[] = [
  { images: 1, channels: 32, height: 1, width: 1 },
  { images: 2, channels: 32, height: 5, width: 7 },
  { images: 2, channels: 96, height: 3, width: 4, swish: true },
  { images: 1, channels: 64, height: 9, width: 31, swish: true },
  // Groups of 256 values: every loop ends with its last lane.
  { images: 1, channels: 32, height: 16, width: 16 },
  { images: 1, channels: 32, height: 40, width: 40 },
  { images: 3, channels: 6, height: 2, width: 3, groups: 3 },
  { images: 1, channels: 5, height: 4, width: 2, groups: 1, eps: 0.1, swish: true },
  // The largest group of VQ-16 at 256x256: 262144 values.
  { images: 1, channels: 4, height: 256, width: 256, groups: 1 },
];

export const groupNorm: KernelRecord<GroupNormParams> = record<GroupNormParams, GroupNormInputs>({
  name: 'group_norm',
  kernel,
  shown: { images: 1, channels: 512, height: 24, width: 24, swish: true },
  suites: [{ variants: VARIANTS, cases }],
  texts: [true, false].map((swish) => ({ images: 2, channels: 64, height: 3, width: 5, swish })),
  inputs: {
    x: ({ images, channels, height, width }) =>
      normal(images * channels * height * width, 1, 0.5, 20),
    weight: ({ channels }) => normal(channels, 2, 0.5, 1),
    bias: ({ channels }) => normal(channels, 3),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // The rounding of a mean of 20, up to 1e-5, is divided by a standard deviation of 0.5 and multiplied
  // by weights up to 2.5. A variance from raw squares would be off by nmse 1e-8.
  tolerance: () => ({ nmse: 1e-10, max: 1e-4 }),
});
