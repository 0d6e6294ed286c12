/** The committed golden cases, by the runner that `npm run golden` uses. */
import { describe, expect, test } from 'vitest';
import type { LoadOptions } from '../src/load/model.ts';
import { caseFolders, readConfig } from './golden-runner/case.ts';
import { reasonToSkip, runCase } from './golden-runner/run.ts';
import { testDevice, testKernels } from './support/device.ts';
import { few, isLong } from './support/few.ts';
import { ROOT } from './support/sources.ts';

const device = await testDevice();
const kernels = await testKernels();
const present = caseFolders(`${ROOT}/test/golden`);
const cases = present
  .filter((folder) => reasonToSkip(folder) === undefined)
  .map((folder) => ({ folder, ...readConfig(folder) }));

/** Barriers are slow on software adapters: these cases reach every kernel in a few seconds. */
const SMALL = /^(op_|sample_|c2i_odd_mha|c2i_batch4)/;
/** These take them up to a minute. */
const SLOW = /^(vq|t5)_/;

/** Of the shipped models, classes and prompts whose greedy tokens are drawn. */
const classes = few(
  4,
  Array.from({ length: 32 }, (_, label) => label),
);

/** What fails, with its numbers. */
async function failures(folder: string, options: LoadOptions = {}): Promise<string[]> {
  const { checks } = await runCase(device, folder, { ...kernels, ...options, classes });
  return checks
    .filter(({ pass }) => !pass)
    .map(({ tensor, maxAbsError, tolerance }) => `${tensor}: ${maxAbsError} > ${tolerance}`);
}

test('every kind of this version is among the cases', () => {
  const kinds = new Set(cases.map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual([
    'gpt_c2i',
    'gpt_t2i',
    'model_folder',
    'op',
    'pt',
    'sampling',
    't5_encoder',
    'text_model_folder',
    'vq',
  ]);
});

describe('the variant chosen for this adapter', () => {
  const long = cases.filter(({ kind }) => kind.endsWith('model_folder'));
  test.each(isLong ? long : cases)('$name', async ({ folder }) => {
    expect(await failures(folder)).toEqual([]);
  });
});

const others = (['serial', 'workgroup', 'subgroup'] as const).filter(
  (reduce) => reduce !== 'subgroup' || device.features.has('subgroups'),
);
const small = cases.filter(({ name }) => SMALL.test(name));
const slow = cases.filter(({ name }) => SLOW.test(name));
describe.each(others)('%s', (reduce) => {
  test.each([...few(5, small), ...few(0, slow)])('$name', async ({ folder }) => {
    expect(await failures(folder, { variant: { reduce } })).toEqual([]);
  });
});

test.each(few(1, ['c2i_odd_mha', 'c2i_batch4', 'c2i_odd_gqa']))(
  '%s with several keys at once and products in parts',
  async (name) => {
    const tiles = { attention: { keys: 4 }, product: { split: 2 } };
    expect(await failures(`${ROOT}/test/golden/${name}`, { tiles })).toEqual([]);
  },
);

test('c2i_tiny_f16 with its weights kept as packed halves', async () => {
  const folder = `${ROOT}/test/golden/c2i_tiny_f16`;
  const { checks } = await runCase(device, folder, { dtype: 'f16' });
  expect(checks.filter(({ pass }) => !pass)).toEqual([]);
});

const decoders = cases.filter(({ kind }) => kind === 'gpt_c2i' || kind === 'gpt_t2i');
test.each(few(2, decoders))(
  '$name in fast: logits of each step near, greedy tokens the same',
  async ({ folder }) => {
    const { checks } = await runCase(device, folder, { ...kernels, precision: 'fast' });
    expect(checks.filter(({ pass }) => !pass)).toEqual([]);
    // Halves keep 11 bits: about 5e-4 of values near 1, averaged over the attended positions.
    const scored = checks.find(({ tensor }) => tensor === 'tf.logits');
    expect(scored?.nmse).toBeLessThan(1e-6);
    expect(scored?.nmse).toBeGreaterThan(0);
    expect(checks.some(({ tensor }) => /^gen.*tokens/.test(tensor))).toBe(true);
  },
);
