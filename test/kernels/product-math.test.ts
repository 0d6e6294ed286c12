/** Products of maps from halves and by matrices of subgroups; see test/support/emulated-math.ts. */

import { describe, expect, test } from 'vitest';
import { convSizes } from '../../kernels/conv/conv-shape.ts';
import { type Conv2dParams, conv2d } from '../../kernels/conv/conv2d.ts';
import { conv2dParts } from '../../kernels/conv/conv2d-parts.ts';
import { spatialMix } from '../../kernels/conv/spatial-mix.ts';
import { spatialScores } from '../../kernels/conv/spatial-scores.ts';
import { sumParts } from '../../kernels/conv/sum-parts.ts';
import { elementCount } from '../../kernels/cost.ts';
import type { Kernel, MatrixConfig, Variant } from '../../kernels/kernel.ts';
import type { MapTile } from '../../kernels/product/map-tile.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { adapterFacts, variantOf } from '../../src/gpu/variants.ts';
import { expectClose } from '../oracle/compare.ts';
import * as oracle from '../oracle/conv2d.ts';
import * as spatial from '../oracle/spatial-attention.ts';
import { testDevice } from '../support/device.ts';
import { emulated } from '../support/emulated-math.ts';
import { roundF16 } from '../support/f16.ts';
import { few, fewAgain, isLong } from '../support/few.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();
const lanes = device.adapterInfo.subgroupMaxSize ?? 4;

/** Operands that are halves are multiplied exactly: the tolerance of f32 sums (conv2d.test.ts). */
const EXACT = { nmse: 1e-11, max: 1e-4 };
/**
 * A half keeps 11 bits, so rounding is off by 2^-11 of an operand at most. WGSL lets conversions
 * truncate, as SwiftShader's do: 2^-10, all to one side (5.6e-7 of the squares of the sums, measured).
 * The tuner takes up to 1e-6.
 */
const ROUNDED = { nmse: 2 ** -20, max: 2e-2 };

interface Way {
  readonly title: string;
  readonly variant: Variant;
  readonly tile: Partial<MapTile>;
  /** What is emulated. */
  readonly matrix?: MatrixConfig;
}

const half: Variant = { reduce: 'workgroup', f16: true };
const way = (matrix: MatrixConfig, tile: Readonly<Record<string, number>>): Way => ({
  title: `matrices ${matrix.m}x${matrix.n}x${matrix.k} ${matrix.operand}, ${matrix.lanes} lanes`,
  matrix,
  variant: { ...half, matrix },
  tile: { math: 'matrix', ...tile },
});
const wide = { tileM: 32, tileN: 64, eachM: 16, eachN: 32, slice: 32 };
const tall = { tileM: 64, tileN: 32, eachM: 32, eachN: 16, slice: 16 };
const ways: readonly Way[] = [
  way(matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes }), wide),
  {
    title: 'halves',
    variant: half,
    tile: { math: 'f16', tileM: 16, tileN: 32, eachM: 4, eachN: 8, slice: 16 },
  },
  // Subgroups half as large as they may be: twice as many as have something to multiply.
  way(matrixConfig({ m: 16, n: 8, k: 4, operand: 'f32', lanes: 2 * lanes }), tall),
  way(matrixConfig({ m: 8, n: 8, k: 8, operand: 'f32', lanes }), tall),
];
const { matrix: real } = adapterFacts(device);
const own: readonly Way[] = real
  ? [
      {
        title: 'matrices of the device',
        variant: variantOf(device),
        tile: { math: 'matrix' },
      },
    ]
  : [];

const odd = { images: 2, inChannels: 5, outChannels: 9 } as const;
/** Several tiles and rests of them, both filters, all that a convolution has. */
const cases: readonly Conv2dParams[] = [
  { images: 1, inChannels: 5, outChannels: 9, height: 1, width: 1, kernelSize: 3 },
  { images: 2, inChannels: 8, outChannels: 35, height: 5, width: 13, kernelSize: 3 },
  { ...odd, height: 3, width: 5, kernelSize: 3, upsample: true, dtype: 'f16' },
  { ...odd, height: 5, width: 7, kernelSize: 3, stride: 2, residual: true },
  { images: 2, inChannels: 37, outChannels: 67, height: 5, width: 7, kernelSize: 1 },
];

function inputsOf(params: Conv2dParams) {
  const { images, inChannels, outChannels, height, width, kernelSize } = params;
  const outputs = elementCount(convSizes(params).outShape);
  return {
    x: normal(images * inChannels * height * width, 1),
    weight: normal(outChannels * inChannels * kernelSize ** 2, 2, 0.3),
    bias: normal(outChannels, 3),
    ...(params.residual && { residual: normal(outputs, 4) }),
  };
}

const halves = <I extends { x: Float32Array; weight: Float32Array }>(inputs: I): I => ({
  ...inputs,
  x: roundF16(inputs.x),
  weight: roundF16(inputs.weight),
});

describe.each([...fewAgain(2, ways), ...own])('$title', ({ variant, matrix, tile }) => {
  const run = (kernel: Kernel, inputs: Readonly<Record<string, ArrayLike<number>>>) =>
    runKernel(device, matrix || !real ? emulated(device, kernel, matrix) : kernel, inputs);

  for (const params of isLong ? cases : few(2, cases)) {
    const kernel = conv2d({ ...params, variant, tile });
    test(kernel.label, async () => {
      const inputs = halves(inputsOf(params));
      const { out } = await run(kernel, inputs);
      expectClose(kernel.label, out!, oracle.conv2d(params, inputs), EXACT);
    });
  }

  test('operands of any bits', async () => {
    const params = { images: 1, inChannels: 24, outChannels: 20, height: 9, width: 7 } as const;
    const inputs = inputsOf({ ...params, kernelSize: 3 });
    const { out } = await run(conv2d({ ...params, kernelSize: 3, variant, tile }), inputs);
    const expected = oracle.conv2d({ ...params, kernelSize: 3 }, inputs);
    const isExact = variant.matrix?.operand === 'f32';
    expectClose('conv2d', out!, expected, isExact ? EXACT : ROUNDED);
    const exact = () => expectClose('conv2d', out!, expected, EXACT);
    if (!isExact) expect(exact).toThrow(/nmse/);
  });

  describe('norm on read', () => {
    const sizes = { images: 2, inChannels: 6, outChannels: 5, height: 4, width: 7 } as const;
    for (const params of [
      { ...sizes, kernelSize: 1, norm: 'plain' },
      { ...sizes, kernelSize: 3, norm: 'swish', residual: true },
    ] as const satisfies readonly Conv2dParams[]) {
      const kernel = conv2d({ ...params, variant, tile });
      test(kernel.label, async () => {
        const { images, inChannels } = params;
        const affine = normal(images * inChannels * 4, 5, 0.5, 1.5);
        const inputs = inputsOf(params);
        const { out } = await run(kernel, { ...inputs, affine });
        expectClose(kernel.label, out!, oracle.conv2d(params, { ...inputs, affine }), ROUNDED);
      });
    }
  });

  test('in parts', async () => {
    const split = 3;
    const params = { images: 2, inChannels: 13, outChannels: 9, height: 3, width: 5 } as const;
    const conv = { ...params, kernelSize: 3 } as const;
    const full = { ...conv, variant, split, tile };
    const { bias, ...inputs } = halves(inputsOf(conv));
    const { out: x } = await run(conv2dParts(full), inputs);
    const sum = sumParts({ parts: split, images: 2, channels: 9, height: 3, width: 5 });
    const { out } = await runKernel(device, sum, { x: x!, bias });
    expectClose('parts', out!, oracle.conv2d(conv, { ...inputs, bias }), EXACT);
  });

  test('attention over pixels', async () => {
    const shape = { images: 2, channels: 10, height: 5, width: 9 };
    const count = 2 * 10 * 45;
    const q = { q: roundF16(normal(count, 1)), k: roundF16(normal(count, 2)) };
    const scores = await run(spatialScores({ ...shape, variant, tile }), q);
    expectClose('spatial_scores', scores.out!, spatial.spatialScores(shape, q), EXACT);
    const v = { v: roundF16(normal(count, 3)), probs: roundF16(normal(2 * 45 * 45, 4)) };
    const mix = await run(spatialMix({ ...shape, variant, tile }), v);
    expectClose('spatial_mix', mix.out!, spatial.spatialMix(shape, v), EXACT);
  });
});
