/** `bench --gpu`: its ways, its tables, and a run of it with small sizes. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fidelityNotes, fidelityTables, hasFailed } from '../../bench/gpu/fidelity.ts';
import { gpuNotes, gpuTables, hasMissed, type WayResult } from '../../bench/gpu/suite.ts';
import { sessionOf, waysOf } from '../../bench/gpu/ways.ts';
import { measureTorch, torchNotes, torchTables } from '../../bench/peers/torch.ts';
import { timing } from '../../bench/repeat.ts';
import { Session } from '../../bench/session.ts';
import type { Settings } from '../../bench/settings.ts';
import { gpuSuites, runSuites } from '../../bench/suites.ts';
import { tableLines } from '../../bench/table.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { runBench } from '../../src/cli/bench.ts';
import { OptionError } from '../../src/errors.ts';
import { few } from '../support/few.ts';
import { llamagen } from '../support/llamagen.ts';

const SETTINGS: Settings = { runs: 1, quick: true, budget: 1, model: '', images: [] };
const matrix = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 });

describe('the ways', () => {
  test('are fast and exact, and fast without matrix units where there are any', () => {
    const names = (ways: ReturnType<typeof waysOf>) => ways.map(({ name }) => name);
    expect(names(waysOf({ reduce: 'subgroup', f16: true }))).toEqual(['fast', 'exact']);
    const all = ['fast', 'fast, no matrix units', 'exact'];
    const variant = { reduce: 'subgroup', f16: true, matrix } as const;
    expect(names(waysOf(variant))).toEqual(all);
    expect(names(waysOf(variant, { precision: 'fast' }))).toEqual(all.slice(0, 2));
    expect(names(waysOf(variant, { precision: 'exact', matrix: false }))).toEqual(['exact']);
    expect(names(waysOf(variant, { matrix: false }))).toEqual(['fast', 'exact']);
  });

  test('change how models are loaded, in one run', async () => {
    const session = await Session.start(SETTINGS);
    const limits = session.limits();
    expect(session.with({ precision: 'exact' }).limits()).toBe(limits);
    await limits;
    const tiles = { 'conv 3': { math: 'matrix' }, 'product 4': { span: 2 } };
    Object.assign(session.environment, {
      variant: { ...session.environment.variant, matrix },
      tiles,
    });
    const [fast, plain, exact] = waysOf(session.environment.variant).map((way) => {
      const { loading } = sessionOf(session, way);
      return [loading.precision, loading.variant?.matrix, Object.keys(loading.tiles ?? {})];
    });
    expect(fast).toEqual(['fast', matrix, ['conv 3', 'product 4']]);
    expect(plain).toEqual(['fast', undefined, ['product 4']]);
    expect(exact).toEqual(['exact', matrix, ['conv 3', 'product 4']]);
  });
});

test('steps of all ways stand side by side, with what is missing', () => {
  const step = (name: string, ms: number) => ({
    ...({
      name,
      model: 'GPT-B',
      grid: 24,
      classes: 1,
      rows: 2,
      dtype: 'f16',
      kvDtype: 'f16',
    } as const),
    ...{ steps: 1, position: 0, buildMs: 1, dispatches: 1, encodeUs: 1, deviceMs: 1, waitShare: 0 },
    ...{ stepMs: timing([9, ms]), floorMs: 1, floorShare: 1 / ms },
    memory: { weights: 1, state: 1, temp: 1, staging: 1 },
  });
  const way = (name: string, steps: WayResult['steps']): WayResult => ({
    ...{ name, steps, windows: [], images: [] },
  });
  const result = {
    ways: [way('fast', [step('B', 2), step('L', 4)]), way('exact', [step('B', 5)])],
    missing: [{ name: 'L, exact', reason: 'no time left', failed: false }],
  };
  expect(tableLines(gpuTables(result)).slice(0, 3)).toEqual([
    'a step, ms  fast  exact  floor  of floor, fast',
    '  B         2.00   5.00   1.00            50 %',
    '  L         4.00      -   1.00            25 %',
  ]);
  expect(gpuNotes(result)).toEqual(['not measured: L, exact: no time left']);
  expect(hasMissed(result)).toBe(false);
  const [late] = result.missing;
  expect(hasMissed({ ...result, missing: [{ ...late!, failed: true }] })).toBe(true);
});

test('what failed is counted and told', () => {
  const good = { name: 'golden cases', way: 'fast', passed: 3, failures: [], seconds: 1 };
  const bad = { ...good, way: 'exact', passed: 2, failures: ['c2i tf.logits: 1'] };
  expect(hasFailed({ checks: [good] })).toBe(false);
  expect(hasFailed({ checks: [good, bad] })).toBe(true);
  expect(fidelityNotes({ checks: [good, bad] })).toEqual([
    'FAILED: golden cases, exact: c2i tf.logits: 1',
  ]);
  expect(tableLines(fidelityTables({ checks: [bad] }))[1]).toMatch(
    /golden cases, exact +2 +1 +1\.0/,
  );
});

const folder = mkdtempSync(join(tmpdir(), 'llamagen-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('PyTorch', () => {
  /** In the place of the Python script. */
  const ran = (text: string) => {
    const script = join(folder, 'torch.mjs');
    writeFileSync(script, text);
    return measureTorch(process.execPath, script);
  };
  const row = { torch: '2.11', device: 'H200', name: 'GPT-B', ms: 0.7 };

  test('has a row for each line that is one', async () => {
    const result = await ran(`console.log('a warning'); console.log('${JSON.stringify(row)}')`);
    expect(result).toEqual({ rows: [row] });
    expect(tableLines(torchTables(result))[1]).toMatch(/GPT-B +0\.70/);
  });

  test('that is not there, or fails, has a reason', async () => {
    expect(torchNotes(await measureTorch(join(folder, 'no-python')))[0]).toMatch(
      /PyTorch: .*ENOENT/,
    );
    const failed = await ran(
      `console.log('${JSON.stringify(row)}'); console.error('no CUDA'); process.exitCode = 2`,
    );
    expect(failed).toEqual({ rows: [row], reason: 'no CUDA' });
  });
});

describe('llamagen bench', () => {
  test('gives its arguments to the bench, and ends as that does', async () => {
    const { code, stderr } = await llamagen(['bench', '--gpu', 'limits']);
    expect(code).toBe(1);
    expect(stderr).toBe(
      'bench: --gpu is a choice of suites: name no other\nllamagen: the bench ended with 2\n',
    );
  });

  test('says where the bench is when this is no checkout', async () => {
    const run = runBench([], new AbortController().signal, folder);
    await expect(run).rejects.toThrow(OptionError);
    await expect(run).rejects.toThrow(/the bench is in the repository.*npm run bench -- --gpu/);
  });
});

test.each(few(0, ['bench --gpu --small']))('%s runs from end to end', async () => {
  const print = () => {};
  const suites = gpuSuites().filter(
    (name) => !['windows', 'engine', 'torch', 'peers'].includes(name),
  );
  const { results } = await runSuites(suites, SETTINGS, { print, note: print });
  expect(fidelityNotes(results.fidelity ?? { checks: [] })).toEqual([]);
  expect(results.fidelity?.checks.every(({ passed }) => passed > 0)).toBe(true);
  expect(results.gpu?.missing).toEqual([]);
  for (const { steps, windows, images } of results.gpu?.ways ?? []) {
    expect([steps.length, windows.length, images.length]).toEqual([2, 1, 2]);
  }
  expect(results.gpu?.ways[0]?.kernels?.kernels.length).toBeGreaterThan(2);
});
