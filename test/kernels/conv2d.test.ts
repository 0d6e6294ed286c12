import { describe, expect, test } from 'vitest';
import { convDirect } from '../../kernels/conv/conv-direct.ts';
import { convFew } from '../../kernels/conv/conv-few.ts';
import { type ConvParams, convSizes } from '../../kernels/conv/conv-shape.ts';
import { type Conv2dParams, conv2d } from '../../kernels/conv/conv2d.ts';
import { conv2dParts } from '../../kernels/conv/conv2d-parts.ts';
import { sumParts } from '../../kernels/conv/sum-parts.ts';
import { elementCount } from '../../kernels/cost.ts';
import { type Kernel, PORTABLE } from '../../kernels/kernel.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/conv2d.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

/** Sums of up to 600 products in f32, each about 6e-8 off; the oracle sees the same f16 weights. */
const TOLERANCE = { nmse: 1e-11, max: 1e-4 };

const odd = { images: 2, inChannels: 5, outChannels: 9 } as const;
const tile = { tileM: 16, tileN: 16, eachM: 4, eachN: 4, slice: 16 };

function inputsOf(params: Conv2dParams) {
  const { images, inChannels, outChannels, height, width, kernelSize } = params;
  return {
    x: normal(images * inChannels * height * width, 1),
    weight: normal(outChannels * inChannels * kernelSize ** 2, 2, 0.3),
    bias: normal(outChannels, 3),
    ...(params.residual && { residual: normal(elementCount(convSizes(params).outShape), 4) }),
  };
}

describe.each([2, 3])('in %i parts', (split) => {
  for (const params of [
    { images: 2, inChannels: 13, outChannels: 9, height: 3, width: 5, kernelSize: 3 },
    { images: 1, inChannels: 40, outChannels: 20, height: 4, width: 4, kernelSize: 1 },
    { ...odd, height: 4, width: 3, kernelSize: 3, upsample: true, residual: true },
  ] as const satisfies readonly Conv2dParams[]) {
    const { residual: _, ...whole }: Conv2dParams = params;
    const kernel = conv2dParts({ ...whole, split, tile });
    test(kernel.label, async () => {
      const { bias, residual, ...inputs } = inputsOf(params);
      const { out: x } = await runKernel(device, kernel, inputs);
      const { outShape } = convSizes(params);
      const [images, channels, height, width] = outShape;
      const sizes = { parts: split, images, channels, height, width };
      const sum = sumParts({ ...sizes, residual: residual !== undefined });
      const { out } = await runKernel(device, sum, { x: x!, bias, ...(residual && { residual }) });
      const expected = oracle.conv2d(params, { ...inputs, bias, ...(residual && { residual }) });
      expectClose(kernel.label, out!, expected, TOLERANCE);
    });
  }
});

const base = { images: 1, inChannels: 4, outChannels: 4, height: 4, width: 4 } as const;

describe.each([
  ['conv2d', conv2d],
  ['conv_direct', convDirect],
] as const)('parameters of %s', (name, make: (params: ConvParams) => Kernel) => {
  test('a 1x1 filter has no stride', () => {
    expect(() => make({ ...base, kernelSize: 1, stride: 2 })).toThrow(
      `${name}: a 1x1 filter has neither stride nor upsample`,
    );
  });
  test('stride 2 and upsample exclude each other', () => {
    expect(() => make({ ...base, kernelSize: 3, stride: 2, upsample: true })).toThrow(
      `${name}: stride 2 and upsample exclude each other`,
    );
  });
  test('nothing is left of one row with stride 2', () => {
    expect(() => make({ ...base, height: 1, kernelSize: 3, stride: 2 })).toThrow(
      `${name}: "outHeight"`,
    );
  });
  test('tensors must be indexable', () => {
    expect(() => make({ ...base, height: 32768, width: 32768, kernelSize: 3 })).toThrow(
      /"x".*elements/,
    );
  });
});

test('a tile too large for any device is refused', () => {
  const tile = { tileM: 128, tileN: 128 };
  expect(() => conv2d({ ...base, kernelSize: 3, tile })).toThrow(/tile .* 1024 invocations/);
});

test('barriers', () => {
  const hasBarriers = ({ code }: Kernel): boolean => code.includes('workgroupBarrier');
  const variant = { ...PORTABLE, reduce: 'serial' } as const;
  const point = { ...base, kernelSize: 1, variant } as const;
  expect(hasBarriers(conv2d(point))).toBe(false);
  expect(hasBarriers(conv2d({ ...point, norm: 'plain' }))).toBe(true);
  expect(hasBarriers(conv2d({ ...point, kernelSize: 3 }))).toBe(true);
  expect(hasBarriers(conv2dParts({ ...point, split: 2 }))).toBe(true);
  expect(hasBarriers(convDirect({ ...base, kernelSize: 3 }))).toBe(false);
  expect(hasBarriers(convFew({ ...base, kernelSize: 3 }))).toBe(true);
});
