import { sumParts as kernel, type SumPartsParams } from '../../../kernels/conv/sum-parts.ts';
import { sumParts as oracle, type SumPartsInputs } from '../../oracle/sum-parts.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

const elements = ({ images, channels, height, width }: SumPartsParams): number =>
  images * channels * height * width;

export const sumParts: KernelRecord<SumPartsParams> = record<SumPartsParams, SumPartsInputs>({
  name: 'sum_parts',
  kernel,
  shown: { parts: 4, images: 1, channels: 512, height: 24, width: 24, residual: true },
  suites: [
    {
      cases: [
        { parts: 2, images: 1, channels: 1, height: 1, width: 1 },
        { parts: 3, images: 2, channels: 6, height: 3, width: 5, residual: true },
        { parts: 8, images: 1, channels: 9, height: 4, width: 7 },
      ],
    },
  ],
  texts: [{ parts: 3, images: 2, channels: 6, height: 3, width: 5, residual: true }],
  inputs: {
    x: (params) => normal(params.parts * elements(params), 1),
    bias: ({ channels }) => normal(channels, 3),
    residual: (params) => normal(elements(params), 4),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Up to ten additions of values of about 1, each 6e-8 off.
  tolerance: () => ({ nmse: 1e-13, max: 5e-6 }),
});
