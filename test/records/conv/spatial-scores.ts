import {
  spatialScores as kernel,
  type SpatialScoresParams,
} from '../../../kernels/conv/spatial-scores.ts';
import { spatialScores as oracle } from '../../oracle/spatial-attention.ts';
import { mapSuites, PIXEL_SHAPES } from '../../support/product-variants.ts';
import { normal } from '../../support/random.ts';
import { type KernelRecord, record } from '../record.ts';

const values = ({ images, channels, height, width }: SpatialScoresParams, seed: number) =>
  normal(images * channels * height * width, seed);

export const spatialScores: KernelRecord<SpatialScoresParams> = record<
  SpatialScoresParams,
  Parameters<typeof oracle>[1]
>({
  name: 'spatial_scores',
  kernel,
  shown: { images: 1, channels: 512, height: 24, width: 24 },
  suites: mapSuites(2, PIXEL_SHAPES),
  texts: [{ images: 2, channels: 6, height: 3, width: 5 }],
  inputs: { q: (params) => values(params, 1), k: (params) => values(params, 2) },
  oracle: (params, inputs) => ({ out: oracle(params, inputs) }),
  // Sums of up to 100 products in f32, each about 6e-8 off.
  tolerance: () => ({ nmse: 1e-11, max: 2e-5 }),
});
