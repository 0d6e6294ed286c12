import { describe, expect, test } from 'vitest';
import { codebookLookup } from '../../kernels/embed/codebook-lookup.ts';
import * as oracle from '../oracle/codebook-lookup.ts';
import { expectClose } from '../oracle/compare.ts';
import { testDevice } from '../support/device.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

/** A copy, or a division by a root: a few units in the last place of values up to 4. */
const TOLERANCE = { nmse: 1e-13, max: 2e-6 };

describe('codebook_lookup', () => {
  test('a row of zeros stays zero', async () => {
    const params = {
      ...{ images: 1, height: 1, width: 2, codebookSize: 2, codebookEmbedDim: 2 },
      l2Norm: true,
    };
    const inputs = { codes: [1, 0], codebook: [0, 0, 3, 4] };
    const { zq } = await runKernel(device, codebookLookup(params), inputs);
    expectClose('codebook_lookup', zq!, oracle.codebookLookup(params, inputs), TOLERANCE);
  });

  test.each(['f32', 'f16'] as const)('a code outside the codebook gives NaN, %s', async (dtype) => {
    const params = {
      ...{ images: 1, height: 1, width: 4, codebookSize: 3, codebookEmbedDim: 1 },
      ...{ l2Norm: false, dtype },
    };
    const inputs = { codes: [0, 3, 2, 0xffffffff], codebook: [1, 2, 3] };
    const { zq } = await runKernel(device, codebookLookup(params), inputs);
    expect([...zq!]).toEqual([1, Number.NaN, 3, Number.NaN]);
  });
});
