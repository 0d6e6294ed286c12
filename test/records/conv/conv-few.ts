import { convFew as kernel } from '../../../kernels/conv/conv-few.ts';
import type { ConvParams } from '../../../kernels/conv/conv-shape.ts';
import type { Conv2dInputs } from '../../oracle/conv2d.ts';
import { type KernelRecord, record } from '../record.ts';
import { ofConv } from './conv-cases.ts';

export const convFew: KernelRecord<ConvParams> = record<ConvParams, Conv2dInputs>({
  name: 'conv_few',
  kernel,
  shown: {
    ...{ images: 1, inChannels: 128, outChannels: 3, height: 384, width: 384 },
    ...{ kernelSize: 3, norm: 'swish' },
  },
  suites: [
    {
      // Tiles that end within the image, more channels than a slice, vectors of two, three and four.
      cases: [
        {
          ...{ images: 2, inChannels: 9, outChannels: 3, height: 9, width: 35 },
          ...{ kernelSize: 3, norm: 'swish' },
        },
        {
          ...{ images: 1, inChannels: 3, outChannels: 4, height: 3, width: 5 },
          ...{ kernelSize: 3, residual: true },
        },
        {
          ...{ images: 1, inChannels: 16, outChannels: 1, height: 8, width: 33 },
          ...{ kernelSize: 3, dtype: 'f16' },
        },
      ],
    },
  ],
  texts: (['f32', 'f16'] as const).flatMap((dtype) => {
    const map = { images: 2, inChannels: 5, height: 3, width: 5, kernelSize: 3, dtype } as const;
    return [
      { ...map, outChannels: 3, norm: 'swish' },
      { ...map, outChannels: 4, residual: true },
      { ...map, outChannels: 1 },
    ] as const;
  }),
  ...ofConv,
});
