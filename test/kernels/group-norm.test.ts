import { describe, expect, test } from 'vitest';
import { type GroupNormParams, groupNorm } from '../../kernels/norm/group-norm.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/group-norm.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS, variantName } from '../support/variants.ts';

const device = await testDevice();

/**
 * The rounding of a mean of 20, up to 1e-5, is divided by a standard deviation of 0.5 and multiplied
 * by weights up to 2.5. A variance from raw squares would be off by nmse 1e-8.
 */
const TOLERANCE = { nmse: 1e-10, max: 1e-4 };

const inputsOf = ({ images, channels, height, width }: GroupNormParams) => ({
  x: normal(images * channels * height * width, 1, 0.5, 20),
  weight: normal(channels, 2, 0.5, 1),
  bias: normal(channels, 3),
});

describe.each([...deviceVariants(device, VARIANTS)])('$reduce', (variant) => {
  test(`groups that are constant or tiny ${variantName(variant)}`, async () => {
    const params = { images: 1, channels: 3, height: 2, width: 5, groups: 3 };
    const x = [...Array(10).fill(0), ...Array(10).fill(2.5), ...normal(10, 4, 1e-3)];
    const inputs = { ...inputsOf(params), x: Float32Array.from(x) };
    const { out } = await runKernel(device, groupNorm({ ...params, variant }), inputs);
    expectClose('group_norm', out!, oracle.groupNorm(params, inputs), TOLERANCE);
  });

  test(`a group whose squares overflow is NaN, not bias ${variantName(variant)}`, async () => {
    const params = { images: 1, channels: 3, height: 2, width: 5, groups: 3 };
    const x = Float32Array.from({ length: 30 }, (_, i) => (i === 14 ? 1e20 : i % 7));
    const inputs = { ...inputsOf(params), x };
    const { out } = await runKernel(device, groupNorm({ ...params, variant }), inputs);
    const nan = [...out!].flatMap((v, i) => (Number.isNaN(v) ? [i] : []));
    expect(nan).toEqual(Array.from({ length: 10 }, (_, i) => 10 + i));
  });
});

test('channels must divide into the groups', () => {
  expect(() => groupNorm({ images: 1, channels: 48, height: 1, width: 1 })).toThrow(
    'group_norm: "channels" expected a multiple of 32 groups, got 48',
  );
});
