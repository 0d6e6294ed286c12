/** The four kernels of a convolution by Winograd's method; test/kernels/winograd.test.ts puts them together. */
import {
  winogradFilter as filterKernel,
  type WinogradFilterParams,
} from '../../../kernels/conv/winograd-filter.ts';
import {
  winogradInput as inputKernel,
  type WinogradInputParams,
} from '../../../kernels/conv/winograd-input.ts';
import {
  winogradOutput as outputKernel,
  type WinogradOutputParams,
} from '../../../kernels/conv/winograd-output.ts';
import {
  winogradProduct as productKernel,
  type WinogradProductParams,
} from '../../../kernels/conv/winograd-product.ts';
import * as oracle from '../../oracle/winograd.ts';
import { mapSuites } from '../../support/product-variants.ts';
import { normal } from '../../support/random.ts';
import { exactIn } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';

/** The transforms multiply by up to 36 and add 36 values: errors of a few 1e-6 in values of about 10. */
const TOLERANCE = { nmse: 1e-12, max: 1e-4 };

export const winogradFilter: KernelRecord<WinogradFilterParams> = record<
  WinogradFilterParams,
  Parameters<typeof oracle.winogradFilter>[1]
>({
  name: 'winograd_filter',
  kernel: filterKernel,
  shown: { inChannels: 128, outChannels: 128 },
  suites: [
    {
      cases: (['f32', 'f16'] as const).flatMap((dtype) => [
        { inChannels: 1, outChannels: 1, dtype },
        { inChannels: 5, outChannels: 9, dtype },
        { inChannels: 20, outChannels: 17, dtype },
      ]),
    },
  ],
  texts: (['f32', 'f16'] as const).map((dtype) => ({ inChannels: 5, outChannels: 9, dtype })),
  inputs: {
    weight: ({ inChannels, outChannels, dtype = 'f32' }) =>
      exactIn(dtype, normal(outChannels * inChannels * 9, 2, 0.3)),
  },
  oracle: (params, inputs) => ({ out: oracle.winogradFilter(params, inputs) }),
  tolerance: () => TOLERANCE,
  sampled: { size: 'outChannels', axes: { weight: 0, out: 2 } },
});

const MAP = { images: 2, height: 3, width: 5 } as const;

export const winogradInput: KernelRecord<WinogradInputParams> = record<
  WinogradInputParams,
  Parameters<typeof oracle.winogradInput>[1]
>({
  name: 'winograd_input',
  kernel: inputKernel,
  shown: { images: 1, channels: 128, height: 96, width: 96 },
  suites: [
    {
      // Sizes that are no multiples of the tile of 4, several images, a part that ends within a row.
      cases: [
        { images: 1, channels: 1, height: 1, width: 1 },
        { images: 2, channels: 5, height: 5, width: 7 },
        { images: 1, channels: 3, height: 3, width: 5, upsample: true },
        { images: 2, channels: 4, height: 9, width: 6, part: { first: 5, count: 5 } },
      ],
    },
  ],
  texts: [true, false].map((upsample) => ({ ...MAP, channels: 6, upsample })),
  inputs: {
    x: ({ images, channels, height, width }) => normal(images * channels * height * width, 1),
  },
  oracle: (params, inputs) => ({ out: oracle.winogradInput(params, inputs) }),
  tolerance: () => TOLERANCE,
  sampled: { size: 'channels', axes: { x: 1, out: 1 } },
});

export const winogradProduct: KernelRecord<WinogradProductParams> = record<
  WinogradProductParams,
  Parameters<typeof oracle.winogradProduct>[1]
>({
  name: 'winograd_product',
  kernel: productKernel,
  shown: { inChannels: 128, outChannels: 128, tiles: 576 },
  suites: mapSuites(1, [
    { inChannels: 1, outChannels: 1, tiles: 1 },
    { inChannels: 20, outChannels: 17, tiles: 6 },
    { inChannels: 5, outChannels: 9, tiles: 33 },
  ]),
  texts: [{ inChannels: 6, outChannels: 5, tiles: 7 }],
  inputs: {
    weight: ({ inChannels, outChannels }) => normal(36 * inChannels * outChannels, 2, 0.3),
    x: ({ inChannels, tiles }) => normal(36 * inChannels * tiles, 1),
  },
  oracle: (params, inputs) => ({ out: oracle.winogradProduct(params, inputs) }),
  // Sums of up to 20 products in f32.
  tolerance: () => ({ nmse: 1e-12, max: 2e-5 }),
  sampled: { size: 'outChannels', axes: { weight: 2, out: 1 } },
});

const elements = ({ images, channels, height, width }: WinogradOutputParams): number =>
  images * channels * height * width;

export const winogradOutput: KernelRecord<WinogradOutputParams> = record<
  WinogradOutputParams,
  oracle.WinogradOutputInputs
>({
  name: 'winograd_output',
  kernel: outputKernel,
  shown: { images: 1, channels: 128, height: 96, width: 96, residual: true },
  suites: [
    {
      cases: [
        { images: 1, channels: 1, height: 1, width: 1 },
        { images: 2, channels: 9, height: 5, width: 7, residual: true },
        { images: 1, channels: 2, height: 5, width: 9, residual: true },
        { images: 2, channels: 3, height: 9, width: 6, part: { first: 0, count: 5 } },
        { images: 2, channels: 3, height: 9, width: 6, part: { first: 5, count: 5 } },
      ],
    },
  ],
  texts: [
    { first: 0, count: 3 },
    { first: 3, count: 1 },
  ].map((part) => ({ ...MAP, channels: 6, residual: true, part })),
  inputs: {
    x: ({ images, channels, height, width, part }) =>
      normal(
        36 * channels * (part?.count ?? images * Math.ceil(height / 4) * Math.ceil(width / 4)),
        1,
      ),
    bias: ({ channels }) => normal(channels, 3),
    residual: (params) => normal(elements(params), 4),
    out: (params) => normal(elements(params), 5),
  },
  oracle: (params, inputs) => ({ out: oracle.winogradOutput(params, inputs) }),
  tolerance: () => TOLERANCE,
  // The first part leaves the pixels of the others to them.
  partly: ['out'],
  sampled: { size: 'channels', axes: { x: 1, bias: 0, residual: 1, out: 1 } },
});
