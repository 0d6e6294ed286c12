import { describe, expect, test } from 'vitest';
import { convSizes } from '../../kernels/conv/conv-shape.ts';
import { type Conv2dParams, conv2d, conv2dParts, convTile } from '../../kernels/conv/conv2d.ts';
import { sumParts } from '../../kernels/conv/sum-parts.ts';
import { elementCount } from '../../kernels/cost.ts';
import { PORTABLE, type Variant } from '../../kernels/kernel.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/conv2d.ts';
import { testDevice } from '../support/device.ts';
import { roundF16 } from '../support/f16.ts';
import { few, fewBarriers } from '../support/few.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, SERIAL_LANES, variantName } from '../support/variants.ts';

const device = await testDevice();
const SERIAL: Variant = { ...PORTABLE, reduce: 'serial' };

/** Sums of up to 600 products in f32, each about 6e-8 off; the oracle sees the same f16 weights. */
const TOLERANCE = { nmse: 1e-11, max: 1e-4 };

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

const small = { tileM: 16, tileN: 16, eachM: 4, eachN: 4, slice: 16 };
const methods: readonly Required<Pick<Conv2dParams, 'variant' | 'tile'>>[] = [
  { variant: SERIAL, tile: { method: 'direct' } },
  { variant: PORTABLE, tile: { method: 'gemm', ...small } },
];

function inputsOf(params: Conv2dParams, dtype: 'f32' | 'f16') {
  const { images, inChannels, outChannels, height, width, kernelSize } = params;
  const weight = normal(outChannels * inChannels * kernelSize ** 2, 2, 0.3);
  return {
    x: normal(images * inChannels * height * width, 1),
    weight: dtype === 'f16' ? roundF16(weight) : weight,
    bias: normal(outChannels, 3),
    ...(params.residual && { residual: normal(elementCount(convSizes(params).outShape), 4) }),
  };
}

describe.each(['f32', 'f16'] as const)('%s weights', (dtype) => {
  describe.each(methods)('$tile.method', ({ variant, tile }) => {
    const chosen = dtype === 'f32' ? fewBarriers(variant, 6, cases) : few(6, cases);
    for (const params of chosen) {
      const kernel = conv2d({ ...params, dtype, variant, tile });
      test(kernel.label, async () => {
        const inputs = inputsOf(params, dtype);
        const { out } = await runKernel(device, kernel, inputs);
        expectClose(kernel.label, out!, oracle.conv2d(params, inputs), TOLERANCE);
      });
    }
  });
});

/** 1x1 filters as products of maps, whose loop test/kernels/spatial-attention.test.ts covers. */
describe.each(deviceVariants(device, [SERIAL, SERIAL_LANES, PORTABLE]))('own choice', (variant) => {
  for (const dtype of ['f32', 'f16'] as const) {
    const params = { ...odd, height: 3, width: 9, residual: true, dtype, variant } as const;
    for (const kernelSize of [1, 3] as const) {
      const kernel = conv2d({ ...params, kernelSize });
      test(`${kernel.label} ${variantName(variant)}`, async () => {
        const inputs = inputsOf({ ...params, kernelSize }, dtype);
        const { out } = await runKernel(device, kernel, inputs);
        expectClose(
          kernel.label,
          out!,
          oracle.conv2d({ ...params, kernelSize }, inputs),
          TOLERANCE,
        );
      });
    }
  }
});

describe.each(methods)('norm on read, $tile.method', ({ variant, tile }) => {
  const sizes = { images: 2, inChannels: 6, outChannels: 5, height: 4, width: 7 } as const;
  for (const params of [
    { ...sizes, kernelSize: 1, norm: 'plain' },
    { ...sizes, kernelSize: 3, norm: 'swish', residual: true },
    { ...sizes, kernelSize: 3, norm: 'plain', upsample: true },
    { ...sizes, kernelSize: 3, norm: 'swish', stride: 2 },
  ] as const satisfies readonly Conv2dParams[]) {
    const kernel = conv2d({ ...params, variant, tile });
    test(kernel.label, async () => {
      const { images, inChannels, height, width, norm } = params;
      // Biases far from zero: padding that is normalised shows.
      const affine = normal(images * inChannels * 4, 5, 0.5, 1.5);
      const inputs = inputsOf(params, 'f32');
      const { out } = await runKernel(device, kernel, { ...inputs, affine });
      const x = Float64Array.from(inputs.x, (v, i) => {
        const c = Math.floor(i / (height * width));
        const [mean, scale, shift] = affine.subarray(4 * c, 4 * c + 3);
        const h = (v - mean!) * scale! + shift!;
        return norm === 'swish' ? h / (1 + Math.exp(-h)) : h;
      });
      expectClose(kernel.label, out!, oracle.conv2d(params, { ...inputs, x }), TOLERANCE);
    });
  }
});

describe.each([2, 3])('in %i parts', (split) => {
  for (const params of [
    { images: 2, inChannels: 13, outChannels: 9, height: 3, width: 5, kernelSize: 3 },
    { images: 1, inChannels: 40, outChannels: 20, height: 4, width: 4, kernelSize: 1 },
    { ...odd, height: 4, width: 3, kernelSize: 3, upsample: true, residual: true },
  ] as const satisfies readonly Conv2dParams[]) {
    const tile = { method: 'gemm', split, ...small } as const;
    const kernel = conv2dParts({ ...params, tile });
    test(kernel.label, async () => {
      expect(convTile({ ...params, tile }).split).toBe(split);
      const { bias, residual, ...inputs } = inputsOf(params, 'f32');
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
