import {
  type HalvesOfMapParams,
  halvesOfMap as kernel,
} from '../../../kernels/conv/halves-of-map.ts';
import { halvesOfMap as oracle } from '../../oracle/halves.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

const map = { images: 2, channels: 32, height: 3, width: 5 } as const;
const cases: readonly HalvesOfMapParams[] = [
  { images: 1, channels: 96, height: 4, width: 7 },
  { ...map, border: true },
  { ...map, border: true, upsample: true },
  { ...map, norm: 'plain' },
  { ...map, border: true, norm: 'swish' },
  // Four pixels at once.
  { ...map, channels: 64, width: 8, norm: 'plain' },
  { ...map, width: 12, border: true, upsample: true },
  { ...map, width: 4, border: true, norm: 'swish' },
];

export const halvesOfMap: KernelRecord<HalvesOfMapParams> = record<
  HalvesOfMapParams,
  Parameters<typeof oracle>[1]
>({
  name: 'halves_of_map',
  kernel,
  shown: { images: 1, channels: 128, height: 96, width: 96, border: true, norm: 'swish' },
  suites: [{ cases }],
  texts: cases.slice(1),
  inputs: {
    x: ({ images, channels, height, width }) => normal(images * channels * height * width, 1),
    // Shifts far from zero: a border that is normalised shows.
    affine: ({ images, channels }) => normal(images * channels * 4, 5, 0.5, 1.5),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Halves keep 11 bits, and conversions may truncate: 2^-10 of values of up to 10.
  tolerance: () => ({ nmse: 2 ** -20, max: 1e-2 }),
});
