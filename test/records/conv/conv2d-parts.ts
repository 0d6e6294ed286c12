import {
  type Conv2dPartsParams,
  convTile,
  conv2dParts as kernel,
} from '../../../kernels/conv/conv2d.ts';
import { PORTABLE } from '../../../kernels/kernel.ts';
import type { Conv2dInputs } from '../../oracle/conv2d.ts';
import { conv2dParts as oracle } from '../../oracle/conv2d-parts.ts';
import { type KernelRecord, record } from '../record.ts';
import { conv2d } from './conv2d.ts';

const small = { method: 'gemm', tileM: 16, tileN: 16, eachM: 4, eachN: 4, slice: 16 } as const;
const odd = { images: 2, inChannels: 5, outChannels: 9 } as const;
const cases: readonly Conv2dPartsParams[] = [
  {
    ...{ images: 2, inChannels: 13, outChannels: 9, height: 3, width: 5, kernelSize: 3 },
    tile: { ...small, split: 3 },
  },
  {
    ...{ images: 1, inChannels: 40, outChannels: 20, height: 4, width: 4, kernelSize: 1 },
    tile: { ...small, split: 2 },
  },
  { ...odd, height: 4, width: 3, kernelSize: 3, upsample: true, tile: { ...small, split: 2 } },
];

export const conv2dParts: KernelRecord<Conv2dPartsParams> = record<
  Conv2dPartsParams,
  Omit<Conv2dInputs, 'bias' | 'residual'>
>({
  name: 'conv2d_parts',
  kernel,
  shown: {
    ...{ images: 1, inChannels: 512, outChannels: 512, height: 24, width: 24, kernelSize: 3 },
    tile: { split: 4 },
  },
  suites: [{ variants: [PORTABLE], cases, few: 1 }],
  texts: (['f32', 'f16'] as const).map((dtype) => ({
    ...{ ...odd, height: 3, width: 5, kernelSize: 3, dtype, tile: { method: 'gemm', split: 2 } },
  })),
  inputs: {
    x: (params) => conv2d.inputs.x!(params),
    weight: (params) => conv2d.inputs.weight!(params),
    affine: (params) => conv2d.inputs.affine!(params),
  },
  oracle: (params, inputs) => ({ out: oracle(params, convTile(params), inputs) }),
  // As for `conv2d`.
  tolerance: () => ({ nmse: 1e-11, max: 1e-4 }),
  sampled: { size: 'outChannels', axes: { weight: 0, out: 2 } },
});
