import { convDirect as kernel } from '../../../kernels/conv/conv-direct.ts';
import type { ConvParams } from '../../../kernels/conv/conv-shape.ts';
import type { Conv2dInputs } from '../../oracle/conv2d.ts';
import { type KernelRecord, record } from '../record.ts';
import { casesIn, convTexts, normCases, ofConv } from './conv-cases.ts';

export const convDirect: KernelRecord<ConvParams> = record<ConvParams, Conv2dInputs>({
  name: 'conv_direct',
  kernel,
  shown: {
    ...{ images: 1, inChannels: 128, outChannels: 3, height: 256, width: 256, kernelSize: 3 },
  },
  suites: [
    { cases: casesIn('f32') },
    { cases: casesIn('f16'), fewSerial: 6 },
    { cases: normCases },
  ],
  texts: convTexts,
  ...ofConv,
});
