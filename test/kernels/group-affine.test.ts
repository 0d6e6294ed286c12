import { describe, expect, test } from 'vitest';
import type { Variant } from '../../kernels/kernel.ts';
import { type GroupAffineParams, groupAffine } from '../../kernels/norm/group-affine.ts';
import { groupMoments } from '../../kernels/norm/group-moments.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/group-norm.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS, variantName } from '../support/variants.ts';

const device = await testDevice();

/** As for group_norm. */
const TOLERANCE = { nmse: 1e-10, max: 1e-4 };

/** Groups of one chunk and of several, the last of them short. */
const cases: readonly GroupAffineParams[] = [
  { images: 1, channels: 32, height: 1, width: 1 },
  { images: 2, channels: 96, height: 3, width: 4 },
  { images: 2, channels: 6, height: 37, width: 43, groups: 3 },
  { images: 1, channels: 4, height: 64, width: 33, groups: 1, eps: 0.1 },
];

async function normalised(params: GroupAffineParams, variant: Variant, x: Float32Array) {
  const { images, channels, height, width, groups = 32 } = params;
  const sizes = { images, channels, height, width, groups };
  const weight = normal(channels, 2, 0.5, 1);
  const bias = normal(channels, 3);
  const { out: moments } = await runKernel(device, groupMoments({ ...sizes, variant }), { x });
  const fed = { moments: moments!, weight, bias };
  const { out: affine } = await runKernel(device, groupAffine(params), fed);
  const got = Float64Array.from(x, (v, i) => {
    const c = Math.floor(i / (height * width));
    const [mean, scale, shift] = affine!.subarray(4 * c, 4 * c + 3);
    return Math.fround(v - mean!) * scale! + shift!;
  });
  return { got, expected: oracle.groupNorm(params, { x, weight, bias }) };
}

describe.each([...deviceVariants(device, VARIANTS)])('$reduce', (variant) => {
  test.each(cases)(`$channels x $height x $width ${variantName(variant)}`, async (params) => {
    const { images, channels, height, width } = params;
    const x = normal(images * channels * height * width, 1, 0.5, 20);
    const { got, expected } = await normalised(params, variant, x);
    expectClose('group_affine', got, expected, TOLERANCE);
  });

  test(`constant groups ${variantName(variant)}`, async () => {
    const params = { images: 1, channels: 2, height: 2, width: 3, groups: 2 };
    const x = Float32Array.from({ length: 12 }, (_, i) => (i < 6 ? 0 : 2.5));
    const { got, expected } = await normalised(params, variant, x);
    expectClose('group_affine', got, expected, TOLERANCE);
  });

  test(`a group whose squares overflow is NaN, not bias ${variantName(variant)}`, async () => {
    const params = { images: 1, channels: 2, height: 2, width: 3, groups: 2 };
    const x = Float32Array.from({ length: 12 }, (_, i) => (i === 8 ? 1e20 : i));
    const { got } = await normalised(params, variant, x);
    expect([...got].map(Number.isNaN)).toEqual(Array.from(x, (_, i) => i >= 6));
  });
});

test('channels must divide into the groups', () => {
  const sizes = { images: 1, channels: 48, height: 1, width: 1 };
  expect(() => groupMoments(sizes)).toThrow(/group_moments: "channels".* 48$/);
  expect(() => groupAffine(sizes)).toThrow(/group_affine: "channels".* 48$/);
});
