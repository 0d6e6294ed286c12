import { spatialMix as kernel, type SpatialMixParams } from '../../../kernels/conv/spatial-mix.ts';
import { spatialMix as oracle } from '../../oracle/spatial-attention.ts';
import { mapSuites, PIXEL_SHAPES } from '../../support/product-variants.ts';
import { normal, uniform } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

export const spatialMix: KernelRecord<SpatialMixParams> = record<
  SpatialMixParams,
  Parameters<typeof oracle>[1]
>({
  name: 'spatial_mix',
  kernel,
  shown: { images: 1, channels: 512, height: 24, width: 24 },
  suites: mapSuites(2, PIXEL_SHAPES),
  texts: [{ images: 2, channels: 6, height: 3, width: 5 }],
  inputs: {
    v: ({ images, channels, height, width }) => normal(images * channels * height * width, 3),
    probs: ({ images, height, width }) =>
      Float32Array.from({ length: images * (height * width) ** 2 }, uniform(4)),
  },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Sums of up to 100 products in f32, each about 6e-8 off.
  tolerance: () => ({ nmse: 1e-11, max: 2e-5 }),
});
