import { describe, expect, test } from 'vitest';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/rms-norm.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS, variantName } from '../support/variants.ts';

const device = await testDevice();

/** f32 sums of up to 1000 squares are good to about 1e-6; values reach about 10. */
const TOLERANCE = { nmse: 1e-11, max: 2e-5 };

describe.each([...deviceVariants(device, VARIANTS)])('$reduce', (variant) => {
  test(`rows that are zero or tiny ${variantName(variant)}`, async () => {
    const params = { rows: 3, dim: 8 };
    const x = [...Array(8).fill(0), ...normal(8, 3, 1e-4), ...normal(8, 4, 1e4)];
    const inputs = { x: Float32Array.from(x), gain: normal(8, 5) };
    const { out } = await runKernel(device, rmsNorm({ ...params, variant }), inputs);
    expectClose('rms_norm', out!, oracle.rmsNorm(params, inputs), TOLERANCE);
  });

  test(`a row whose squares overflow is NaN, not zero ${variantName(variant)}`, async () => {
    const x = [...Array(8).fill(1e15), ...Array(7).fill(0), 1e20, ...Array(8).fill(-1)];
    const kernel = rmsNorm({ rows: 3, dim: 8, variant });
    const { out } = await runKernel(device, kernel, { x, gain: Array(8).fill(1) });
    const nan = out!.map((v) => Number(Number.isNaN(v)));
    expect([...nan]).toEqual([...Array(8).fill(0), ...Array(8).fill(1), ...Array(8).fill(0)]);
    expectClose('rms_norm', out!.subarray(0, 8), Array(8).fill(1), TOLERANCE);
  });
});
