import {
  type CodebookLookupParams,
  codebookLookup as kernel,
} from '../../../kernels/embed/codebook-lookup.ts';
import {
  type CodebookLookupInputs,
  codebookLookup as oracle,
} from '../../oracle/codebook-lookup.ts';
import { normal, uniform } from '../../support/random.ts';
import { exactIn } from '../../support/weights.ts';
import { type KernelRecord, record } from '../record.ts';

const cases: readonly CodebookLookupParams[] = [
  { images: 1, height: 1, width: 1, codebookSize: 1, codebookEmbedDim: 1 },
  { images: 2, height: 3, width: 5, codebookSize: 50, codebookEmbedDim: 4 },
  { images: 1, height: 8, width: 9, codebookSize: 257, codebookEmbedDim: 8 },
  { images: 2, height: 2, width: 2, codebookSize: 7, codebookEmbedDim: 3 },
].flatMap((sizes) =>
  [true, false].flatMap((l2Norm) =>
    (['f32', 'f16'] as const).map((dtype) => ({ ...sizes, l2Norm, dtype })),
  ),
);

export const codebookLookup: KernelRecord<CodebookLookupParams> = record<
  CodebookLookupParams,
  CodebookLookupInputs
>({
  name: 'codebook_lookup',
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
    codes: ({ images, height, width, codebookSize }) => {
      const next = uniform(1);
      const codes = Uint32Array.from({ length: images * height * width }, () =>
        Math.floor(next() * codebookSize),
      );
      codes[0] = codebookSize - 1;
      return codes;
    },
    codebook: ({ codebookSize, codebookEmbedDim, dtype = 'f32' }) =>
      exactIn(dtype, normal(codebookSize * codebookEmbedDim, 2)),
  },
  oracle: (params, inputs) => ({ zq: oracle(params, inputs) }),
  // A copy, or a division by a root: a few units in the last place of values up to 4.
  tolerance: () => ({ nmse: 1e-13, max: 2e-6 }),
});
