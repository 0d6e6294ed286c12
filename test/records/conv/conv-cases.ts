/** What the records of whole convolutions share, however they are made. */
import { type ConvParams, convSizes } from '../../../kernels/conv/conv-shape.ts';
import { elementCount } from '../../../kernels/cost.ts';
import { type Conv2dInputs, conv2d } from '../../oracle/conv2d.ts';
import { normal } from '../../support/random.ts';
import { exactIn } from '../../support/weights.ts';
import type { Own } from '../record.ts';

const one = { images: 1, inChannels: 8, outChannels: 4 } as const;
export const odd = { images: 2, inChannels: 5, outChannels: 9 } as const;

/** Every remainder of the tile of 4 channels by 4 or 8 pixels, every border. */
const cases: readonly ConvParams[] = [
  { images: 1, inChannels: 5, outChannels: 9, height: 1, width: 1, kernelSize: 3 },
  { images: 1, inChannels: 1, outChannels: 1, height: 2, width: 1, kernelSize: 3 },
  { images: 2, inChannels: 8, outChannels: 3, height: 5, width: 7, kernelSize: 3 },
  { images: 1, inChannels: 64, outChannels: 20, height: 4, width: 6, kernelSize: 3 },
  { images: 2, inChannels: 3, outChannels: 5, height: 2, width: 64, kernelSize: 3 },
  { images: 1, inChannels: 2, outChannels: 6, height: 3, width: 67, kernelSize: 3 },
  { images: 1, inChannels: 3, outChannels: 4, height: 2, width: 77, kernelSize: 3, residual: true },
  { ...odd, height: 3, width: 9, kernelSize: 3, residual: true },
  { ...one, height: 8, width: 8, kernelSize: 3, residual: true },
  { ...one, height: 1, width: 1, kernelSize: 3, upsample: true },
  { ...one, height: 4, width: 4, kernelSize: 3, upsample: true },
  { ...odd, height: 3, width: 5, kernelSize: 3, upsample: true },
  { ...odd, height: 2, width: 33, kernelSize: 3, upsample: true, residual: true },
  { ...one, height: 2, width: 2, kernelSize: 3, stride: 2 },
  { ...one, height: 6, width: 8, kernelSize: 3, stride: 2 },
  { ...odd, height: 5, width: 7, kernelSize: 3, stride: 2 },
  { ...odd, height: 4, width: 11, kernelSize: 3, stride: 2, residual: true },
  { ...one, height: 3, width: 133, kernelSize: 3, stride: 2 },
  { images: 2, inChannels: 8, outChannels: 20, height: 5, width: 7, kernelSize: 1 },
  { images: 1, inChannels: 33, outChannels: 1, height: 1, width: 1, kernelSize: 1 },
  { images: 1, inChannels: 7, outChannels: 6, height: 4, width: 17, kernelSize: 1, residual: true },
];

/** These with weights of a type. */
export const casesIn = (dtype: 'f32' | 'f16'): readonly ConvParams[] =>
  cases.map((params) => ({ ...params, dtype }));

const sizes = { images: 2, inChannels: 6, outChannels: 5, height: 4, width: 7 } as const;
export const normCases: readonly ConvParams[] = [
  { ...sizes, kernelSize: 1, norm: 'plain' },
  { ...sizes, kernelSize: 3, norm: 'swish', residual: true },
  { ...sizes, kernelSize: 3, norm: 'plain', upsample: true },
  { ...sizes, kernelSize: 3, norm: 'swish', stride: 2 },
];

/** One of each kind of layer. */
export const convTexts: readonly ConvParams[] = (['f32', 'f16'] as const).flatMap((dtype) => {
  const map = { ...odd, height: 3, width: 5, kernelSize: 3, dtype } as const;
  return [
    { ...map, kernelSize: 1 },
    map,
    { ...map, residual: true },
    { ...map, upsample: true },
    { ...map, stride: 2 },
    { ...map, norm: 'plain', kernelSize: 1 },
    { ...map, norm: 'swish' },
  ] as const;
});

export const ofConv: Pick<
  Own<ConvParams, Conv2dInputs>,
  'inputs' | 'oracle' | 'tolerance' | 'sampled'
> = {
  inputs: {
    x: ({ images, inChannels, height, width }) => normal(images * inChannels * height * width, 1),
    weight: ({ inChannels, outChannels, kernelSize, dtype = 'f32' }) =>
      exactIn(dtype, normal(outChannels * inChannels * kernelSize ** 2, 2, 0.3)),
    bias: ({ outChannels }) => normal(outChannels, 3),
    residual: (params) => normal(elementCount(convSizes(params).outShape), 4),
    // Shifts far from zero: padding that is normalised shows.
    affine: ({ images, inChannels }) => normal(images * inChannels * 4, 5, 0.5, 1.5),
  },
  oracle: (params, inputs) => ({ out: conv2d(params, inputs) }),
  // Sums of up to 600 products in f32, each about 6e-8 off; the oracle sees the same f16 weights.
  tolerance: () => ({ nmse: 1e-11, max: 1e-4 }),
  sampled: { size: 'outChannels', axes: { weight: 0, bias: 0, residual: 1, out: 1 } },
};
