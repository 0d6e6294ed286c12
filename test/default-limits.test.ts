/** On a device of which nothing was asked: every kernel, and the shipped model. */
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { costOf } from '../kernels/cost.ts';
import { PORTABLE, type Variant } from '../kernels/kernel.ts';
import { type GeneratedImage, generate, loadModel, variantOf } from '../src/index.ts';
import { defaultModelFolder, openFolder } from '../src/node/files.ts';
import { openCase } from './golden-runner/case.ts';
import { checkCase } from './records/check.ts';
import { RECORDS } from './records/index.ts';
import type { KernelRecord, Suite } from './records/record.ts';
import { few } from './support/few.ts';
import { nullDevice } from './support/null-device.ts';
import { openPlain } from './support/plain-device.ts';
import { ROOT } from './support/sources.ts';
import { variantName } from './support/variants.ts';

const plain = await openPlain();
const { device } = plain;
afterAll(() => plain.close());

/** Of https://www.w3.org/TR/webgpu/#limits, those that kernels and memory meet. */
const DEFAULTS = {
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxBufferSize: 256 * 2 ** 20,
  maxStorageBuffersPerShaderStage: 8,
  maxUniformBuffersPerShaderStage: 12,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeWorkgroupsPerDimension: 65535,
};

test('the device is such a one', () => {
  expect(device.limits).toMatchObject(DEFAULTS);
  const features = [...device.features].filter((name) => name !== 'core-features-and-limits');
  expect(features).toEqual([]);
  expect(variantOf(device)).toMatchObject({ f16: false });
  expect(variantOf(device).lanes).toBeUndefined();
});

/** That of software adapters, and that of GPUs. */
const WITHOUT_FEATURES: readonly Variant[] = [{ reduce: 'serial', f16: false }, PORTABLE];

interface Case {
  readonly title: string;
  readonly record: KernelRecord;
  readonly params: object;
}

/** A small case of each kernel that has a variant; without one, of those that have none. */
function casesOf(variant?: Variant): Case[] {
  const word = variant && variantName(variant);
  return RECORDS.flatMap((record) => {
    const suite = record.suites.find(({ variants }) =>
      variants ? variants.some((own) => variantName(own) === word) : !variant,
    );
    if (!suite) return [];
    const title = [record.name, ...(word ? [word] : [])].join(', ');
    return [{ title, record, params: { ...smallOf(record, suite), ...(variant && { variant }) } }];
  });
}

/** Of the quarter of its cases that move least, the largest. */
function smallOf(record: KernelRecord, { cases }: Suite): object {
  const bytes = new Map(cases.map((params) => [params, costOf(record.kernel(params)).bytes]));
  const sorted = cases.toSorted((a, b) => bytes.get(a)! - bytes.get(b)!);
  return sorted[Math.floor(sorted.length / 4)]!;
}

const [serial = [], workgroup = []] = WITHOUT_FEATURES.map(casesOf);
const plainCases = [...casesOf(), ...serial];

test('every kernel has a case', () => {
  const names = [...plainCases, ...workgroup].map(({ record }) => record.name);
  expect(new Set(names).size).toBe(RECORDS.length);
});

// Barriers take software adapters long: `npm run test:long` has the others.
test.each([...plainCases, ...few(4, workgroup)])(
  'computes what the oracle does: $title',
  ({ record, params }) => checkCase(device, record, params),
);

test('contracts.test.ts compiles all texts within these limits', async () => {
  expect((await nullDevice()).limits).toMatchObject(DEFAULTS);
});

test('the shipped model draws the tokens and pixels of PyTorch', async () => {
  const { expected } = await openCase(join(ROOT, 'test/golden/fruits-96'));
  const valuesOf = (name: string, at: number, count: number): number[] => [
    ...expected.get(name)!.data.slice(at * count, (at + 1) * count),
  ];
  const label = expected.get('decoded_classes')!.data[1]!;
  const model = await loadModel(device, openFolder(defaultModelFolder()));
  const { images } = await generate(model, { classes: [label], greedy: true, cfgScale: 1 });
  model.destroy();
  const [{ tokens, rgba }] = images as [GeneratedImage];
  expect([...tokens]).toEqual(valuesOf('greedy_tokens', label, 144));
  const rgb = [...rgba].filter((_, i) => i % 4 !== 3);
  const reference = valuesOf('image_u8', 1, 96 * 96 * 3);
  expect(rgb).toHaveLength(reference.length);
  expect(rgb.filter((value, i) => Math.abs(value - reference[i]!) > 1)).toEqual([]);
});
