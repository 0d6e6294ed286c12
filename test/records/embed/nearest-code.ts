import {
  nearestCode as kernel,
  type NearestCodeParams,
} from '../../../kernels/embed/nearest-code.ts';
import { type NearestCodeInputs, nearestCode as oracle } from '../../oracle/nearest-code.ts';
import { normal } from '../../support/random.ts';
import { exactIn } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';

const cases: readonly NearestCodeParams[] = [
  { images: 1, height: 1, width: 1, codebookSize: 1, codebookEmbedDim: 1 },
  { images: 2, height: 3, width: 5, codebookSize: 50, codebookEmbedDim: 4 },
  { images: 1, height: 5, width: 9, codebookSize: 257, codebookEmbedDim: 8 },
  { images: 2, height: 2, width: 2, codebookSize: 31, codebookEmbedDim: 3 },
].flatMap((sizes) =>
  [true, false].flatMap((l2Norm) =>
    (['f32', 'f16'] as const).map((dtype) => ({ ...sizes, l2Norm, dtype })),
  ),
);

export const nearestCode: KernelRecord<NearestCodeParams> = record<
  NearestCodeParams,
  NearestCodeInputs
>({
  name: 'nearest_code',
  kernel,
  shown: {
    ...{ images: 1, height: 24, width: 24, codebookSize: 16384, codebookEmbedDim: 8 },
    ...{ l2Norm: true },
  },
  suites: [{ cases }],
  texts: (['f32', 'f16'] as const).flatMap((dtype) =>
    [true, false].map((l2Norm) => ({
      ...{ images: 2, height: 3, width: 5, codebookSize: 50, codebookEmbedDim: 6 },
      ...{ l2Norm, dtype },
    })),
  ),
  inputs: {
    latents: ({ images, height, width, codebookEmbedDim }) =>
      normal(images * codebookEmbedDim * height * width, 1),
    codebook: ({ codebookSize, codebookEmbedDim, dtype = 'f32' }) =>
      exactIn(dtype, normal(codebookSize * codebookEmbedDim, 2)),
  },
  oracle: (params, inputs) => ({ indices: oracle(params, inputs) }),
  // The seeded data has no two codes within f32 rounding of each other.
  tolerance: () => 'equal',
});
