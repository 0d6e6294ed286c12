/** Which kernels the bench compares with an oracle, and that it finds what is wrong. */
import { beforeAll, describe, expect, test } from 'vitest';
import { imageCases, samplerCases, stepCases } from '../../bench/kernels/cases.ts';
import { checkKernel } from '../../bench/kernels/check.ts';
import { timeKernel } from '../../bench/kernels/measure.ts';
import { Refusal } from '../../bench/refusal.ts';
import { convDirect } from '../../kernels/conv/conv-direct.ts';
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import { groupNorm } from '../../kernels/norm/group-norm.ts';
import { linear } from '../../kernels/product/linear.ts';
import { swiglu } from '../../kernels/product/swiglu.ts';
import { sampleToken } from '../../kernels/sampler/sample-token.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { stopwatch } from '../../src/gpu/stopwatch.ts';
import { RECORDS } from '../records/index.ts';
import { testDevice } from '../support/device.ts';
import { VARIANTS } from '../support/variants.ts';

const SERIAL: Variant = { reduce: 'serial', f16: false };
let device: GPUDevice;
beforeAll(async () => {
  device = await testDevice();
});

describe('every kernel of', () => {
  const known = new Set(RECORDS.map(({ name }) => name));
  const unknown = (cases: readonly { readonly kernel: Kernel }[]): string[] =>
    cases.map(({ kernel }) => kernel.name).filter((name) => !known.has(name));

  test.each(VARIANTS)('a step and of the tokenizer has a record with %j', (variant) => {
    const precision = { variant, dtype: 'f16', kvDtype: 'f16' } as const;
    const steps = [...stepCases('GPT-B', 2, 16, precision), ...samplerCases(2, precision)];
    const cases = [...steps, ...imageCases(16, precision)];
    expect(cases.length).toBeGreaterThan(20);
    expect(unknown(cases)).toEqual([]);
  });
});

/** Kernels of a step and of the tokenizer, with more columns than are compared; and others. */
const kernels: readonly Kernel[] = [
  linear({ rows: 2, inDim: 40, outDim: 90, normEps: 1e-5, variant: SERIAL }),
  linear({ rows: 3, inDim: 64, outDim: 50, residual: true, dtype: 'int8', variant: SERIAL }),
  swiglu({ rows: 2, dim: 36, hiddenDim: 60, normEps: 1e-5, dtype: 'f16', variant: SERIAL }),
  convDirect({
    ...{ images: 1, inChannels: 5, outChannels: 30, height: 4, width: 6, kernelSize: 3 },
    residual: true,
  }),
  groupNorm({ images: 1, channels: 64, height: 4, width: 5, swish: true, variant: SERIAL }),
  sampleToken({
    ...{ sequences: 2, rows: 4, vocabSize: 300, clsTokenNum: 1 },
    variant: SERIAL,
  }),
];

describe.each(kernels.map((kernel) => [kernel.label, kernel] as const))('%s', (_, kernel) => {
  test('agrees with its oracle', async () => {
    expect(await checkKernel(device, kernel)).toBeUndefined();
  });

  test('that does nothing is refused', async () => {
    const code = kernel.code.replace(/fn main\([^{]*\{/, '$& if (true) { return; }');
    await expect(checkKernel(device, kernel, { ...kernel, code })).rejects.toThrow(Refusal);
  });
});

test('a wrong value in one of many columns that are compared is refused', async () => {
  const params = { rows: 2, inDim: 40, outDim: 90, variant: SERIAL };
  const faulty = linear(params);
  const code = faulty.code.replace(/out_put\(([^;]*)\);/, 'out_put($1 * 1.001);');
  expect(code).not.toBe(faulty.code);
  await expect(checkKernel(device, linear(params), { ...faulty, code })).rejects.toThrow(
    /linear .* nmse .*nothing is reported/,
  );
});

test('a kernel without a record says so', async () => {
  const [kernel] = kernels as [Kernel];
  expect(await checkKernel(device, { ...kernel, name: 'paint' })).toMatch(/no record of paint/);
});

test('a kernel that makes a part of a weight says so', async () => {
  const kernel = linear({ rows: 2, inDim: 8, outDim: 24, columns: { first: 8, count: 8 } });
  expect(await checkKernel(device, kernel)).toMatch(/part of a larger weight/);
});

test.each(VARIANTS.slice(0, 1))('a kernel is timed against the limits, %j', async (variant) => {
  const memory = new Memory(device);
  const clock = await stopwatch(memory);
  const kernel = linear({ rows: 2, inDim: 64, outDim: 64, variant });
  const one = { name: 'a: b', use: 'a', kernel, dispatches: 3 };
  const limits = {
    ...{ clock: clock.method, bandwidth: { bestGBs: 1 }, bestGflops: 1 },
    latency: { dispatchUs: 1, encodeUs: 1, submitUs: 1, roundTripUs: 1, readbackUs: 1 },
  };
  const effort = { runs: 2, leastUs: 100, warmUs: 0, coldBytes: 1 };
  const result = await timeKernel({ memory, clock }, one, limits, effort);
  expect(result).toMatchObject({ dispatches: 3, runs: 2, operations: 2 * 2 * 64 * 64 });
  expect(result.floorUs).toBeCloseTo(17.4, 1);
  expect(result.share).toBeCloseTo(result.floorUs / result.us);
  clock.destroy();
  expect(memory.use).toEqual({ weights: 0, state: 0, temp: 0, staging: 0 });
});
