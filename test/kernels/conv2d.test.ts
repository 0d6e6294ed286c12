import { describe, expect, test } from 'vitest';
import { convSizes } from '../../kernels/conv/conv-shape.ts';
import { type Conv2dParams, conv2d, conv2dParts, convTile } from '../../kernels/conv/conv2d.ts';
import { sumParts } from '../../kernels/conv/sum-parts.ts';
import { elementCount } from '../../kernels/cost.ts';
import { PORTABLE, type Variant } from '../../kernels/kernel.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/conv2d.ts';
import { testDevice } from '../support/device.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();
const SERIAL: Variant = { ...PORTABLE, reduce: 'serial' };

/** Sums of up to 600 products in f32, each about 6e-8 off; the oracle sees the same f16 weights. */
const TOLERANCE = { nmse: 1e-11, max: 1e-4 };

const odd = { images: 2, inChannels: 5, outChannels: 9 } as const;
const small = { tileM: 16, tileN: 16, eachM: 4, eachN: 4, slice: 16 };

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
    const tile = { method: 'gemm', split, ...small } as const;
    const { residual: _, ...whole }: Conv2dParams = params;
    const kernel = conv2dParts({ ...whole, tile });
    test(kernel.label, async () => {
      expect(tile.split).toBe(split);
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

describe('the choice', () => {
  const layer = { images: 1, inChannels: 512, outChannels: 512, height: 16, width: 16 } as const;
  const tileOf = (params: Partial<Conv2dParams>) =>
    convTile({ ...layer, kernelSize: 3, ...params });

  test('Winograd without barriers, products with them', () => {
    expect(tileOf({ variant: SERIAL }).method).toBe('winograd');
    expect(tileOf({ variant: SERIAL, stride: 2 }).method).toBe('direct');
    expect(tileOf({ variant: SERIAL, outChannels: 3 }).method).toBe('direct');
    expect(tileOf({ variant: PORTABLE }).method).toBe('gemm');
  });
  test('a method of its own where all channels fit one invocation', () => {
    expect(tileOf({ outChannels: 4 }).method).toBe('few');
    expect(tileOf({ outChannels: 5 }).method).toBe('gemm');
    expect(tileOf({ outChannels: 3, upsample: true }).method).toBe('gemm');
    expect(tileOf({ outChannels: 3, stride: 2 }).method).toBe('gemm');
    expect(tileOf({ outChannels: 3, kernelSize: 1 }).method).toBe('gemm');
  });
  test('a layer of few pixels is made in parts, one of many is not', () => {
    expect(tileOf({}).split).toBe(4);
    expect(tileOf({ height: 256, width: 256 }).split).toBe(1);
  });
  test('does not depend on the number of images', () => {
    expect(tileOf({ images: 8 })).toEqual(tileOf({ images: 1 }));
  });
  test('a tile too large for any device is refused', () => {
    const tile = { tileM: 128, tileN: 128 };
    expect(() => conv2d({ ...layer, kernelSize: 3, tile })).toThrow(/tile .* 1024 invocations/);
  });
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
