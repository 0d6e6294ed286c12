import { describe, expect, test } from 'vitest';
import { convDirect } from '../../kernels/conv/conv-direct.ts';
import { type ConvParams, convSizes } from '../../kernels/conv/conv-shape.ts';
import { winogradFilter } from '../../kernels/conv/winograd-filter.ts';
import { winogradInput } from '../../kernels/conv/winograd-input.ts';
import { winogradOutput } from '../../kernels/conv/winograd-output.ts';
import { winogradProduct } from '../../kernels/conv/winograd-product.ts';
import { costOf, elementCount } from '../../kernels/cost.ts';
import { PORTABLE } from '../../kernels/kernel.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/conv2d.ts';
import { testDevice } from '../support/device.ts';
import { roundF16 } from '../support/f16.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();
const variant = { ...PORTABLE, reduce: 'serial' } as const;

/** As for conv2d; the transforms of F(4x4, 3x3) make the rounding error about 1.6 times as large. */
const TOLERANCE = { nmse: 1e-11, max: 1e-4 };

/** Sizes that are no multiples of the tile of 4, several images, and parts that end within a row. */
const cases: readonly (ConvParams & { readonly perPart?: number })[] = [
  { images: 1, inChannels: 1, outChannels: 1, height: 1, width: 1, kernelSize: 3 },
  { images: 2, inChannels: 5, outChannels: 9, height: 5, width: 7, kernelSize: 3, residual: true },
  { images: 1, inChannels: 20, outChannels: 17, height: 8, width: 12, kernelSize: 3 },
  { images: 1, inChannels: 3, outChannels: 2, height: 3, width: 5, kernelSize: 3, upsample: true },
  { images: 2, inChannels: 4, outChannels: 3, height: 9, width: 6, kernelSize: 3, perPart: 5 },
];

describe.each(['f32', 'f16'] as const)('%s weights', (dtype) => {
  test.each(cases)('$images x $inChannels x $height x $width', async ({ perPart, ...params }) => {
    const { images, inChannels, outChannels, height, width, residual = false } = params;
    const { outHeight, outWidth, outShape } = convSizes(params);
    const { upsample = false } = params;
    const weight = normal(outChannels * inChannels * 9, 2, 0.3);
    const inputs = {
      x: normal(images * inChannels * height * width, 1),
      weight: dtype === 'f16' ? roundF16(weight) : weight,
      bias: normal(outChannels, 3),
      ...(residual && { residual: normal(elementCount(outShape), 4) }),
    };
    const { x, bias } = inputs;
    const filter = winogradFilter({ inChannels, outChannels, dtype });
    const filters = (await runKernel(device, filter, { weight: inputs.weight })).out!;
    const tiles = images * Math.ceil(outHeight / 4) * Math.ceil(outWidth / 4);
    const step = perPart ?? tiles;
    let out: ArrayLike<number> | undefined;
    for (let first = 0; first < tiles; first += step) {
      const part = { first, count: Math.min(step, tiles - first) };
      const sizes = { images, channels: inChannels, height, width };
      const input = winogradInput({ ...sizes, upsample, part });
      const transformed = (await runKernel(device, input, { x })).out!;
      const product = winogradProduct({ inChannels, outChannels, tiles: part.count, variant });
      const products = await runKernel(device, product, { weight: filters, x: transformed });
      const output = winogradOutput({
        ...{ images, channels: outChannels, height: outHeight, width: outWidth, residual, part },
      });
      const added = residual ? { residual: inputs.residual! } : {};
      const fed = { x: products.out!, bias, ...added, ...(out && { out }) };
      out = (await runKernel(device, output, fed)).out!;
    }
    expectClose('winograd', out!, oracle.conv2d(params, inputs), TOLERANCE);
  });
});

test('a part must be some of the tiles', () => {
  const part = { first: 3, count: 2 };
  expect(() => winogradInput({ images: 1, channels: 1, height: 8, width: 8, part })).toThrow(
    'winograd_input: tiles 3 .. 4 expected to be some of 4',
  );
});

test('layers and their parts share texts, and differ in sizes', () => {
  const of = (channels: number, side: number, part: { first: number; count: number }) => {
    const map = { images: 1, channels, height: side, width: side, part } as const;
    const pair = { inChannels: channels, outChannels: channels };
    return [
      winogradFilter(pair),
      winogradInput(map),
      winogradProduct({ ...pair, tiles: part.count, variant }),
      winogradOutput(map),
    ];
  };
  const small = of(16, 16, { first: 0, count: 16 });
  const large = of(64, 32, { first: 16, count: 48 });
  expect(large.map(({ code }) => code)).toEqual(small.map(({ code }) => code));
  for (const [i, { sizes }] of large.entries()) expect(sizes).not.toEqual(small[i]!.sizes);
});

test('parts of a layer cost what the whole costs', () => {
  const sizes = { images: 1, channels: 8, height: 16, width: 16 } as const;
  const parts = [
    { first: 0, count: 5 },
    { first: 5, count: 11 },
  ];
  for (const make of [winogradInput, winogradOutput]) {
    const bytes = (part?: { first: number; count: number }): number =>
      costOf(make({ ...sizes, ...(part && { part }) })).bytes;
    const bias = make === winogradOutput ? 8 * 4 : 0;
    expect(bytes(parts[0]) + bytes(parts[1])).toBe(bytes() + bias);
  }
  const params = { inChannels: 8, outChannels: 4 };
  const direct = convDirect({ ...params, images: 1, height: 16, width: 16, kernelSize: 3 });
  expect(costOf(direct).operations).toBe(2 * 16 * 16 * 4 * 8 * 9);
  expect(costOf(winogradProduct({ ...params, tiles: 16, variant })).operations).toBe(
    costOf(direct).operations / 4,
  );
});
