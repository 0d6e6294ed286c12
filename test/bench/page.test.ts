/** The page of plots: pure text from results. */
import { describe, expect, test } from 'vitest';
import { resultName } from '../../bench/environment.ts';
import type { StepResult } from '../../bench/generate/steps.ts';
import type { KernelResult } from '../../bench/kernels/measure.ts';
import { isBenchFile, type NamedFile, page } from '../../bench/page/page.ts';
import { bars, curves, plain } from '../../bench/page/svg.ts';
import { timing } from '../../bench/repeat.ts';
import { selectCases } from '../../bench/settings.ts';
import { type BenchFile, parseSuites } from '../../bench/suites.ts';

const kernel: KernelResult = {
  ...{ name: 'GPT-B 2 rows: linear <x>', use: 'GPT-B 2 rows', label: 'linear <x>', dispatches: 12 },
  ...{ us: 100, medianUs: 110, runs: 5, bytes: 1e6, operations: 2e6, gbs: 10, gflops: 20 },
  ...{ floorUs: 50, bound: 'memory' as const, share: 0.5 },
};

const file = (description: string, date: string, us: number): BenchFile => ({
  ...{ date, commit: '0123456789abcdef', changed: false, node: 'v20', features: [], robust: false },
  cpu: { model: 'CPU', count: 2 },
  adapter: { vendor: 'v', architecture: 'a', device: 'd', description, software: false },
  toggles: ['enable-dawn-features=x'],
  variant: { reduce: 'subgroup', f16: true },
  tiles: {},
  results: { kernels: { kernels: [{ ...kernel, us }], unchecked: [] } },
});

const STEP: StepResult = {
  ...{ name: 'GPT-B', model: 'GPT-B', grid: 24, classes: 1, rows: 2, dtype: 'f16', kvDtype: 'f32' },
  ...{ steps: 1, position: 0, buildMs: 1, dispatches: 1, stepMs: timing([2, 1]), encodeUs: 1 },
  ...{ deviceMs: 1, waitShare: 0, floorMs: 1, floorShare: 1 },
  memory: { weights: 1, state: 1, temp: 1, staging: 1 },
};

const named = (name: string, ...args: Parameters<typeof file>): NamedFile => ({
  name,
  file: file(...args),
});

describe('the page', () => {
  const html = page([
    named('old.json', 'one', '2026-01-01T00:00:00Z', 111),
    named('new.json', 'one', '2026-01-02T00:00:00Z', 222),
    named('other.json', 'two', '2026-01-01T00:00:00Z', 333),
  ]);

  const titlesOf = (text: string) =>
    [...text.matchAll(/<h2>(.*?)<\/h2>/g)].map(([, title]) => title);

  test('has a part for each adapter, with what was measured last', () => {
    expect(titlesOf(html)).toEqual(['d, one', 'd, two']);
    expect(html).toContain('<td>222</td>');
    expect(html).toContain('<td>333</td>');
    expect(html).not.toContain('<td>111</td>');
  });

  test('has a part of its own for tiles that were forced', () => {
    const tiles = { attention: { size: 256 }, 'product f16[2,4]': { span: 2 } };
    const usual = named('usual.json', 'one', '2026-01-01T00:00:00Z', 1);
    const forced = { ...usual, file: { ...usual.file, tiles } };
    expect(titlesOf(page([usual, forced]))).toEqual([
      'd, one',
      'd, one, forced attention.size=256',
    ]);
  });

  test('shows the steps of all files of a machine, each as it was measured last', () => {
    const steps = (date: string, models: readonly string[], ms: number): NamedFile => {
      const all = models.map((name) => ({ ...STEP, name, stepMs: timing([9, ms]) }));
      const generate = { steps: all, images: [], secondsPerImage: {} };
      return { name: date, file: { ...file('one', date, 1), results: { generate } } };
    };
    const html = page([
      steps('2026-01-01T00:00:00Z', ['GPT-B', 'GPT-L'], 123),
      steps('2026-01-02T00:00:00Z', ['GPT-L', 'GPT-XL'], 456),
    ]);
    expect(html).toContain('<th>one step</th><th>GPT-B</th><th>GPT-L</th><th>GPT-XL</th>');
    expect(html).toContain('<td>step, ms (best)</td><td>123</td><td>456</td><td>456</td>');
  });

  test('says where every number comes from', () => {
    for (const text of ['old.json', 'new.json', 'commit 0123456789ab', 'enable-dawn-features=x']) {
      expect(html).toContain(text);
    }
  });

  test('needs nothing but itself, and lets no label be markup', () => {
    expect(html).not.toMatch(/<script|<link|<img|src=|href=|url\(|@import/);
    expect(html).toContain('linear &lt;x&gt;');
    expect(html).not.toContain('linear <x>');
  });

  test('is not made of nothing', () => {
    expect(() => page([])).toThrow(/no results/);
  });
});

test('files of another shape are not of this bench', () => {
  expect(isBenchFile(file('a', '2026', 1))).toBe(true);
  for (const other of [null, 1, {}, { adapter: {} }, { adapter: {}, results: { batches: [] } }]) {
    expect(isBenchFile(other)).toBe(false);
  }
});

describe('plots', () => {
  const widths = (svg: string) =>
    [...svg.matchAll(/<rect[^>]* width="([\d.]+)"/g)].map(([, w]) => Number(w));

  test('have bars as long as their values', () => {
    const svg = bars([1, 2, 4].map((value) => ({ label: 'a', value, text: '' })));
    const [a = 0, b = 0, c = 0] = widths(svg);
    expect(b / a).toBeCloseTo(2, 1);
    expect(c / a).toBeCloseTo(4, 1);
  });

  test('have logarithmic bars that grow by the same for the same factor', () => {
    const svg = bars(
      [1, 10, 100].map((value) => ({ label: 'a', value, text: '' })),
      { log: true },
    );
    const [a = 0, b = 0, c = 0] = widths(svg);
    expect(c - b).toBeCloseTo(b - a, 0);
    expect(a).toBeGreaterThan(0);
  });

  test('have curves within their frame', () => {
    const points = [
      [1, 0.5],
      [32, 700],
    ] as const;
    const svg = curves([{ name: 'n', points }], {
      xLabel: 'x',
      yLabel: 'y',
      ticks: [],
      logX: true,
    });
    const numbers = [...svg.matchAll(/c[xy]="([-\d.]+)"/g)].map(([, n]) => Number(n));
    expect(numbers.length).toBe(4);
    expect(Math.min(...numbers)).toBeGreaterThan(0);
    expect(Math.max(...numbers)).toBeLessThan(460);
    expect(svg).not.toContain('NaN');
  });

  test.each([
    [0.01, '0.01'],
    [1000, '1000'],
    [100_000, '100k'],
    [2e6, '2M'],
  ])('write %d as %s', (value, text) => {
    expect(plain(value)).toBe(text);
  });
});

test('files of results are named for date, adapter and suites', () => {
  const { date, adapter } = file('NVIDIA: 550.1 550.1.0', '2026-11-25T01:02:03Z', 1);
  const gpu = { ...adapter, device: 'nvidia-h200' };
  expect(resultName({ date, adapter: gpu }, [])).toBe('2026-11-25-nvidia-h200-default.json');
  const software = { ...adapter, architecture: 'swiftshader', software: true };
  expect(resultName({ date, adapter: software }, ['limits', 'kernels'])).toBe(
    '2026-11-25-swiftshader-limits-kernels.json',
  );
});

test('suites run in one order, whatever order they are named in', () => {
  expect(parseSuites(['kernels', 'limits'])).toEqual(['limits', 'kernels']);
  expect(parseSuites([])).toEqual(['limits', 'kernels', 'generate', 'scaling']);
  expect(() => parseSuites(['limit'])).toThrow(
    'no suite "limit": there are fidelity, limits, kernels',
  );
});

test('cases are chosen by any part of their names', () => {
  const all = [{ name: 'GPT-B: linear' }, { name: 'GPT-L: linear' }, { name: 'VQ-16: conv' }];
  expect(selectCases('kernels', all, undefined)).toEqual(all);
  expect(selectCases('kernels', all, ['conv', 'GPT-B'])).toEqual([all[0], all[2]]);
  expect(() => selectCases('kernels', all, ['linear', 'norm'])).toThrow(
    'kernels has no case "norm"; there are\n  GPT-B: linear\n  GPT-L: linear\n  VQ-16: conv',
  );
});
