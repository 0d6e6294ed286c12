import {
  type Conv2dPartsParams,
  conv2dParts as kernel,
} from '../../../kernels/conv/conv2d-parts.ts';
import { PORTABLE } from '../../../kernels/kernel.ts';
import { MAP_TILE } from '../../../kernels/product/map-tile.ts';
import type { Conv2dInputs } from '../../oracle/conv2d.ts';
import { conv2dParts as oracle } from '../../oracle/conv2d-parts.ts';
import { type KernelRecord, record } from '../record.ts';
import { odd, ofConv } from './conv-cases.ts';
import { SMALL } from './conv2d.ts';

const cases: readonly Conv2dPartsParams[] = [
  {
    ...{ images: 2, inChannels: 13, outChannels: 9, height: 3, width: 5, kernelSize: 3 },
    ...{ split: 3, tile: SMALL },
  },
  {
    ...{ images: 1, inChannels: 40, outChannels: 20, height: 4, width: 4, kernelSize: 1 },
    ...{ split: 2, tile: SMALL },
  },
  { ...odd, height: 4, width: 3, kernelSize: 3, upsample: true, split: 2, tile: SMALL },
];

export const conv2dParts: KernelRecord<Conv2dPartsParams> = record<
  Conv2dPartsParams,
  Omit<Conv2dInputs, 'bias' | 'residual'>
>({
  name: 'conv2d_parts',
  kernel,
  shown: {
    ...{ images: 1, inChannels: 512, outChannels: 512, height: 24, width: 24, kernelSize: 3 },
    split: 4,
  },
  suites: [{ variants: [PORTABLE], cases, few: 1 }],
  texts: (['f32', 'f16'] as const).map((dtype) => ({
    ...{ ...odd, height: 3, width: 5, kernelSize: 3, dtype, split: 2 },
  })),
  inputs: {
    x: ofConv.inputs.x,
    weight: ofConv.inputs.weight,
    affine: ofConv.inputs.affine,
  },
  oracle: (params, inputs) => {
    const { split, tile: { slice = MAP_TILE.slice } = {} } = params;
    return { out: oracle(params, { split, slice }, inputs) };
  },
  // As for `conv2d`.
  tolerance: () => ({ nmse: 1e-11, max: 1e-4 }),
  sampled: { size: 'outChannels', axes: { weight: 0, out: 2 } },
});
