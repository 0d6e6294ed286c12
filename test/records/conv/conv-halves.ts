import {
  type ConvHalvesParams,
  type ConvHalvesPartsParams,
  convHalves as kernel,
  convHalvesParts as partsKernel,
} from '../../../kernels/conv/conv-halves.ts';
import { PORTABLE } from '../../../kernels/kernel.ts';
import { MAP_TILE } from '../../../kernels/product/map-tile.ts';
import { type ConvHalvesInputs, convHalves as oracle } from '../../oracle/conv-halves.ts';
import { normal } from '../../support/random.ts';
import { exactIn } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';

const tile = { tileM: 16, tileN: 16, eachM: 4, eachN: 4, slice: 16 } as const;
const odd = { images: 2, inChannels: 32, outChannels: 9 } as const;

const inputs = {
  x: ({ images, inChannels, height, width, kernelSize: k, upsample }: ConvHalvesParams) => {
    const rows = (upsample ? height / 2 : height) + k - 1;
    return exactIn('f16', normal(images * rows * (width + k - 1) * inChannels, 1));
  },
  weight: ({ inChannels, outChannels, kernelSize: k, upsample }: ConvHalvesParams) => {
    const taps = upsample ? 4 * k : k * k;
    return exactIn('f16', normal(outChannels * inChannels * taps, 2, 0.3));
  },
};
const sliceOf = ({ tile: { slice } = {} }: ConvHalvesParams): number => slice ?? MAP_TILE.slice;
// As for `conv2d`: products of halves are exact in f32.
const tolerance = () => ({ nmse: 1e-11, max: 1e-4 });

/** By matrices: test/kernels/conv-halves.test.ts. */
export const convHalves: KernelRecord<ConvHalvesParams> = record<
  ConvHalvesParams,
  ConvHalvesInputs
>({
  name: 'conv_halves',
  kernel,
  shown: { images: 1, inChannels: 128, outChannels: 128, height: 96, width: 96, kernelSize: 3 },
  suites: [
    {
      variants: [PORTABLE],
      cases: [
        { ...odd, height: 3, width: 7, kernelSize: 3, residual: true, tile },
        { ...odd, inChannels: 64, height: 4, width: 9, kernelSize: 1, tile },
        { ...odd, height: 6, width: 5, kernelSize: 3, upsample: true, tile },
      ],
      few: 1,
    },
  ],
  texts: [
    { ...odd, height: 3, width: 5, kernelSize: 3, residual: true },
    { ...odd, height: 3, width: 5, kernelSize: 1 },
    { ...odd, height: 4, width: 6, kernelSize: 3, upsample: true },
  ],
  inputs: {
    ...inputs,
    bias: ({ outChannels }) => normal(outChannels, 3),
    residual: ({ images, outChannels, height, width }) =>
      normal(images * outChannels * height * width, 4),
  },
  oracle: (params, given) => ({ out: oracle(params, given, sliceOf(params)) }),
  tolerance,
  sampled: {
    size: 'outChannels',
    axes: { weight: -3, bias: 0, residual: 1, out: 1 },
  },
});

export const convHalvesParts: KernelRecord<ConvHalvesPartsParams> = record<
  ConvHalvesPartsParams,
  Omit<ConvHalvesInputs, 'bias' | 'residual'>
>({
  name: 'conv_halves_parts',
  kernel: partsKernel,
  shown: {
    ...{ images: 1, inChannels: 512, outChannels: 512, height: 24, width: 24, kernelSize: 3 },
    split: 2,
  },
  suites: [
    {
      variants: [PORTABLE],
      cases: [{ ...odd, height: 5, width: 5, kernelSize: 3, split: 4, tile }],
    },
  ],
  texts: [{ ...odd, height: 3, width: 5, kernelSize: 1, split: 2 }],
  inputs,
  oracle: (params, given) => ({ out: oracle(params, given, sliceOf(params)) }),
  tolerance,
  sampled: { size: 'outChannels', axes: { weight: -3, out: 2 } },
});
