import { convSizes } from '../../../kernels/conv/conv-shape.ts';
import { type Conv2dParams, conv2d as kernel } from '../../../kernels/conv/conv2d.ts';
import { elementCount } from '../../../kernels/cost.ts';
import { PORTABLE, type Variant } from '../../../kernels/kernel.ts';
import { type Conv2dInputs, conv2d as oracle } from '../../oracle/conv2d.ts';
import { normal } from '../../support/random.ts';
import { SERIAL_LANES } from '../../support/variants.ts';
import { exactIn } from '../../support/weights.ts';
import { type KernelRecord, record, type Suite } from '../record.ts';

const one = { images: 1, inChannels: 8, outChannels: 4 } as const;
const odd = { images: 2, inChannels: 5, outChannels: 9 } as const;

/** Every remainder of the tile of 4 channels by 4 or 8 pixels, every border. */
const cases: readonly Conv2dParams[] = [
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

const sizes = { images: 2, inChannels: 6, outChannels: 5, height: 4, width: 7 } as const;
const normCases: readonly Conv2dParams[] = [
  { ...sizes, kernelSize: 1, norm: 'plain' },
  { ...sizes, kernelSize: 3, norm: 'swish', residual: true },
  { ...sizes, kernelSize: 3, norm: 'plain', upsample: true },
  { ...sizes, kernelSize: 3, norm: 'swish', stride: 2 },
];

/** 1x1 filters are products of maps, whose loop the cases of `spatial_scores` cover. */
const ownChoice: readonly Conv2dParams[] = (['f32', 'f16'] as const).flatMap((dtype) => [
  ...([1, 3] as const).map((kernelSize) => ({
    ...{ ...odd, height: 3, width: 9, residual: true, kernelSize, dtype },
  })),
  // More channels than a group of four.
  { images: 1, inChannels: 13, outChannels: 6, height: 2, width: 5, kernelSize: 1, dtype },
]);

const SERIAL: Variant = { ...PORTABLE, reduce: 'serial' };
const SMALL = { method: 'gemm', tileM: 16, tileN: 16, eachM: 4, eachN: 4, slice: 16 } as const;

/** Cases made directly without barriers, and as products with them. */
const bothWays = (
  all: readonly Conv2dParams[],
  counts: Pick<Suite, 'few' | 'fewSerial'> = {},
): Suite<Conv2dParams>[] => [
  {
    variants: [SERIAL],
    cases: all.map((params) => ({ ...params, tile: { method: 'direct' } })),
    ...counts,
  },
  { variants: [PORTABLE], cases: all.map((params) => ({ ...params, tile: SMALL })), ...counts },
];

/** Tiles that end within the image, more channels than a slice, vectors of two, three and four. */
const fewChannels: readonly Conv2dParams[] = [
  { images: 2, inChannels: 9, outChannels: 3, height: 9, width: 35, kernelSize: 3, norm: 'swish' },
  { images: 1, inChannels: 3, outChannels: 4, height: 3, width: 5, kernelSize: 3, residual: true },
  { images: 1, inChannels: 16, outChannels: 1, height: 8, width: 33, kernelSize: 3, dtype: 'f16' },
];

const of = (dtype: 'f32' | 'f16'): Conv2dParams[] => cases.map((params) => ({ ...params, dtype }));

export const conv2d: KernelRecord<Conv2dParams> = record<Conv2dParams, Conv2dInputs>({
  name: 'conv2d',
  kernel,
  shown: {
    ...{ images: 1, inChannels: 128, outChannels: 128, height: 96, width: 96 },
    ...{ kernelSize: 3, norm: 'swish', residual: true },
  },
  suites: [
    ...bothWays(of('f32'), { few: 6 }),
    ...bothWays(of('f16'), { few: 6, fewSerial: 6 }),
    { variants: [SERIAL, SERIAL_LANES, PORTABLE], cases: ownChoice },
    ...bothWays(normCases),
    { variants: [PORTABLE], cases: fewChannels },
  ],
  texts: (['f32', 'f16'] as const).flatMap((dtype) => {
    const map = { ...odd, height: 3, width: 5, kernelSize: 3, dtype } as const;
    return [
      { ...map, kernelSize: 1 },
      map,
      { ...map, residual: true },
      { ...map, upsample: true },
      { ...map, stride: 2 },
      { ...map, norm: 'plain', kernelSize: 1 },
      { ...map, norm: 'swish' },
      { ...map, outChannels: 3, norm: 'swish' },
    ] as const;
  }),
  inputs: {
    x: ({ images, inChannels, height, width }) => normal(images * inChannels * height * width, 1),
    weight: ({ inChannels, outChannels, kernelSize, dtype = 'f32' }) =>
      exactIn(dtype, normal(outChannels * inChannels * kernelSize ** 2, 2, 0.3)),
    bias: ({ outChannels }) => normal(outChannels, 3),
    residual: (params) => normal(elementCount(convSizes(params).outShape), 4),
    // Shifts far from zero: padding that is normalised shows.
    affine: ({ images, inChannels }) => normal(images * inChannels * 4, 5, 0.5, 1.5),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Sums of up to 600 products in f32, each about 6e-8 off; the oracle sees the same f16 weights.
  tolerance: () => ({ nmse: 1e-11, max: 1e-4 }),
  sampled: { size: 'outChannels', axes: { weight: 0, bias: 0, residual: 1, out: 1 } },
});
