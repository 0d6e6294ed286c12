import { describe, expect, test } from 'vitest';
import { type Conv2dParams, conv2d } from '../../kernels/conv2d.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/conv2d.ts';
import { testDevice } from '../support/device.ts';
import { roundF16 } from '../support/f16.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

/** Sums of up to 600 products in f32, each about 6e-8 off; the oracle sees the same f16 weights. */
const TOLERANCE = { nmse: 1e-11, max: 1e-4 };

const anyConv2d = (params: Conv2dParams): Kernel =>
  conv2d({ ...params, residual: params.residual as true });

const one = { images: 1, inChannels: 8, outChannels: 4 } as const;
const odd = { images: 2, inChannels: 5, outChannels: 9 } as const;

/** Every remainder of the tile of 4 channels by 4 or 8 pixels, every border. */
const cases: readonly Conv2dParams[] = [
  { images: 1, inChannels: 5, outChannels: 9, height: 1, width: 1, kernelSize: 3 },
  { images: 1, inChannels: 1, outChannels: 1, height: 2, width: 1, kernelSize: 3 },
  { images: 2, inChannels: 8, outChannels: 3, height: 5, width: 7, kernelSize: 3 },
  { images: 1, inChannels: 64, outChannels: 20, height: 4, width: 6, kernelSize: 3 },
  { images: 2, inChannels: 3, outChannels: 5, height: 2, width: 64, kernelSize: 3 },
  { images: 1, inChannels: 2, outChannels: 6, height: 3, width: 67, kernelSize: 3 },
  { images: 1, inChannels: 3, outChannels: 4, height: 2, width: 77, kernelSize: 3, residual: true },
  { ...odd, height: 3, width: 9, kernelSize: 3, residual: true },
  { ...one, height: 8, width: 8, kernelSize: 3, residual: true },
  { ...one, height: 1, width: 1, kernelSize: 3, upsample: true },
  { ...one, height: 4, width: 4, kernelSize: 3, upsample: true },
  { ...odd, height: 3, width: 5, kernelSize: 3, upsample: true },
  { ...odd, height: 2, width: 33, kernelSize: 3, upsample: true, residual: true },
  { ...one, height: 2, width: 2, kernelSize: 3, stride: 2 },
  { ...one, height: 6, width: 8, kernelSize: 3, stride: 2 },
  { ...odd, height: 5, width: 7, kernelSize: 3, stride: 2 },
  { ...odd, height: 4, width: 11, kernelSize: 3, stride: 2, residual: true },
  { ...one, height: 3, width: 133, kernelSize: 3, stride: 2 },
  { images: 2, inChannels: 8, outChannels: 20, height: 5, width: 7, kernelSize: 1 },
  { images: 1, inChannels: 33, outChannels: 1, height: 1, width: 1, kernelSize: 1 },
  { images: 1, inChannels: 7, outChannels: 6, height: 4, width: 17, kernelSize: 1, residual: true },
];

describe.each(['f32', 'f16'] as const)('%s weights', (weightDtype) => {
  for (const params of cases) {
    const kernel = anyConv2d({ ...params, weightDtype });
    test(kernel.label, async () => {
      const { images, inChannels, outChannels, height, width, kernelSize } = params;
      const weight = normal(outChannels * inChannels * kernelSize ** 2, 2, 0.3);
      const outCount = kernel.bindings.out!.shape.reduce((n, d) => n * d, 1);
      const inputs = {
        x: normal(images * inChannels * height * width, 1),
        weight: weightDtype === 'f16' ? roundF16(weight) : weight,
        bias: normal(outChannels, 3),
        ...(params.residual && { residual: normal(outCount, 4) }),
      };
      const { out } = await runKernel(device, kernel, inputs);
      expectClose(kernel.label, out!, oracle.conv2d(params, inputs), TOLERANCE);
    });
  }
});

describe('conv2d parameters', () => {
  const base = { images: 1, inChannels: 4, outChannels: 4, height: 4, width: 4 } as const;

  test('a 1x1 filter has no stride', () => {
    expect(() => conv2d({ ...base, kernelSize: 1, stride: 2 })).toThrow(/1x1/);
  });
  test('stride 2 and upsample exclude each other', () => {
    expect(() => conv2d({ ...base, kernelSize: 3, stride: 2, upsample: true })).toThrow(/exclude/);
  });
  test('nothing is left of one row with stride 2', () => {
    expect(() => conv2d({ ...base, height: 1, kernelSize: 3, stride: 2 })).toThrow(/outHeight/);
  });
  test('tensors must be indexable', () => {
    expect(() => conv2d({ ...base, height: 32768, width: 32768, kernelSize: 3 })).toThrow(
      /"x".*elements/,
    );
  });
});
