import { describe, test } from 'vitest';
import { spatialMix } from '../../kernels/conv/spatial-mix.ts';
import { spatialScores } from '../../kernels/conv/spatial-scores.ts';
import { softmaxRows } from '../../kernels/norm/softmax-rows.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/spatial-attention.ts';
import { testDevice } from '../support/device.ts';
import { fewBarriers } from '../support/few.ts';
import { productVariants } from '../support/product-variants.ts';
import { normal, uniform } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, F32_VARIANTS, variantName } from '../support/variants.ts';

const device = await testDevice();

/** Sums of up to 100 products in f32, each about 6e-8 off. */
const PRODUCT = { nmse: 1e-11, max: 2e-5 };
/** Probabilities; exp is good to a few units in the last place of its argument. */
const SOFTMAX = { nmse: 1e-10, max: 2e-6 };

const shapes = [
  { images: 1, channels: 1, height: 1, width: 1 },
  { images: 2, channels: 5, height: 3, width: 5 },
  { images: 1, channels: 64, height: 4, width: 4 },
  { images: 2, channels: 10, height: 2, width: 9 },
  { images: 1, channels: 7, height: 10, width: 10 },
];

describe.each([...productVariants(device)])('products: $title', ({ variant, tile }) => {
  for (const shape of fewBarriers(variant, 2, shapes)) {
    const { images, channels, height, width } = shape;
    const pixels = height * width;
    const scores = spatialScores({ ...shape, variant, tile });
    test(scores.label, async () => {
      const count = images * channels * pixels;
      const inputs = { q: normal(count, 1), k: normal(count, 2) };
      const { out } = await runKernel(device, scores, inputs);
      expectClose(scores.label, out!, oracle.spatialScores(shape, inputs), PRODUCT);
    });

    const mix = spatialMix({ ...shape, variant, tile });
    test(mix.label, async () => {
      const next = uniform(4);
      const probs = Float32Array.from({ length: images * pixels * pixels }, next);
      const inputs = { v: normal(images * channels * pixels, 3), probs };
      const { out } = await runKernel(device, mix, inputs);
      expectClose(mix.label, out!, oracle.spatialMix(shape, inputs), PRODUCT);
    });
  }
});

describe.each([...deviceVariants(device, F32_VARIANTS)])('$reduce', (variant) => {
  for (const params of [
    { rows: 1, length: 1 },
    { rows: 3, length: 15 },
    { rows: 33, length: 64 },
    { rows: 2, length: 1025 },
  ]) {
    const kernel = softmaxRows({ ...params, variant });
    test(`${kernel.label} ${variantName(variant)}`, async () => {
      const inputs = { x: normal(params.rows * params.length, 5, 4) };
      const { out } = await runKernel(device, kernel, inputs);
      expectClose(kernel.label, out!, oracle.softmaxRows(params, inputs), SOFTMAX);
    });
  }

  test(`rows of huge, equal and low values ${variantName(variant)}`, async () => {
    const params = { rows: 3, length: 4 };
    const x = Float32Array.of(1e4, 1e4, 9999, -1e4, 7, 7, 7, 7, -1e30, -1e30, -2e30, -1e30);
    const { out } = await runKernel(device, softmaxRows({ ...params, variant }), { x });
    expectClose('softmax_rows', out!, oracle.softmaxRows(params, { x }), SOFTMAX);
  });
});
