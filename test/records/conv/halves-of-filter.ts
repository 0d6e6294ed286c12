import {
  type HalvesOfFilterParams,
  halvesOfFilter as kernel,
} from '../../../kernels/conv/halves-of-filter.ts';
import { halvesOfFilter as oracle } from '../../oracle/halves.ts';
import { normal } from '../../support/random.ts';
import { exactIn } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';

const cases: readonly HalvesOfFilterParams[] = [
  { inChannels: 8, outChannels: 3, kernelSize: 1 },
  { inChannels: 24, outChannels: 5, kernelSize: 3 },
  { inChannels: 16, outChannels: 6, kernelSize: 3, dtype: 'f16' },
  { inChannels: 16, outChannels: 3, kernelSize: 3, upsample: true },
];

export const halvesOfFilter: KernelRecord<HalvesOfFilterParams> = record<
  HalvesOfFilterParams,
  Parameters<typeof oracle>[1]
>({
  name: 'halves_of_filter',
  kernel,
  shown: { inChannels: 128, outChannels: 128, kernelSize: 3 },
  suites: [{ cases }],
  texts: cases,
  inputs: {
    weight: ({ inChannels, outChannels, kernelSize, dtype = 'f32' }) =>
      exactIn(dtype, normal(outChannels * inChannels * kernelSize ** 2, 2, 0.3)),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Halves keep 11 bits, and conversions may truncate: 2^-10 of values of about 1.
  tolerance: () => ({ nmse: 2 ** -20, max: 2e-3 }),
  sampled: { size: 'outChannels', axes: { weight: 0, out: -3 } },
});
