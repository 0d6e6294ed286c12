/** Tiles that this version knows of adapters: for whom, and that they can be made. */
import { describe, expect, test } from 'vitest';
import type { Variant } from '../../kernels/kernel.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { GPT_SIZES, type GptSize, gptConfig } from '../../src/models/gpt-config.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';
import { knownTiles } from '../../src/ops/known-adapters.ts';
import { forcedOf } from '../../src/ops/tiles.ts';
import { callsByKey } from '../../src/tune/candidates.ts';
import { workloadsOf } from '../../src/tune/workloads.ts';

const plain: Variant = { reduce: 'subgroup', f16: true, lanes: 32 };
const limits = { invocations: 1024, workgroupBytes: 49152 };
const sizes = { m: 16, n: 16, k: 16, lanes: 32 } as const;
const matrix = matrixConfig({ ...sizes, operand: 'f16' });
/** With matrices, and without: browsers have none yet. */
const variant: Variant = { ...plain, ...limits, matrix };
const named = (vendor: string, device: string, architecture = '') => ({
  ...{ vendor, device, architecture },
});
const h200 = named('nvidia', 'nvidia-h200');

test('Hopper is known by its architecture or its name, with subgroups of 32', () => {
  const count = (...args: Parameters<typeof knownTiles>) => Object.keys(knownTiles(...args)).length;
  for (const adapter of [
    h200,
    named('nvidia', 'NVIDIA H100 PCIe'),
    named('nvidia', '', 'hopper'),
  ]) {
    expect(count(adapter, variant)).toBeGreaterThan(0);
  }
  for (const other of [named('nvidia', 'nvidia-l40s'), named('amd', 'h200'), named('', '')]) {
    expect(count(other, variant)).toBe(0);
  }
  const { lanes: _, ...unknown } = variant;
  for (const way of [
    unknown,
    { ...variant, lanes: 16 },
    { ...variant, reduce: 'serial' },
  ] as const) {
    expect(count(h200, way)).toBe(0);
  }
});

test('those for matrices only where there are such matrices, and the memory that they need', () => {
  const isMade = (way: Variant) =>
    Object.values(knownTiles(h200, way)).some(({ math }) => math === 'matrix');
  expect(isMade(variant)).toBe(true);
  const others: readonly Partial<Variant>[] = [
    { matrix: undefined },
    { matrix: matrixConfig({ ...sizes, n: 8, operand: 'f16' }) },
    { matrix: matrixConfig({ ...sizes, operand: 'f32' }) },
    { f16: false },
    { workgroupBytes: 32768 },
    { workgroupBytes: undefined },
  ];
  for (const other of others) expect(isMade({ ...variant, ...other })).toBe(false);
  expect(Object.keys(knownTiles(h200, plain)).length).toBeGreaterThan(0);
});

test('all are measured ones, which whoever forces a tile has instead', () => {
  expect(forcedOf(knownTiles(h200, variant))).toEqual({});
});

describe.each([
  ['f16', variant],
  ['f32', variant],
  ['f16', plain],
] as const)('with a cache of %s', (kvDtype, variant) => {
  const known = knownTiles(h200, variant);
  const calls = (Object.keys(GPT_SIZES) as GptSize[]).map((size) => {
    const gpt = gptConfig(size, 24);
    const config = { gpt: { ...gpt, nLayer: 1 }, vq: VQ_16 };
    return callsByKey(workloadsOf(config, { variant, dtype: 'f16', kvDtype }, [1, 64]).slice(0, 2));
  });

  test('each is of an official model and can be made', () => {
    const keys = new Set(calls.flatMap((of) => [...of.keys()]));
    const cache = kvDtype === 'f16' ? 'f32' : 'f16';
    const mine = Object.keys(known).filter((key) => !key.startsWith(`attention ${cache}`));
    expect(mine.filter((key) => !keys.has(key))).toEqual([]);
    for (const [key, of] of calls.flatMap((byKey) => [...byKey])) {
      const tile = known[key];
      if (!tile) continue;
      for (const call of [...of.values()].flat())
        expect([key, call.problem(tile)]).toEqual([key, undefined]);
    }
  });
});
