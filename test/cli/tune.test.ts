/** `llamagen tune`, end to end on a tiny model. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { resultLines } from '../../src/cli/tune.ts';
import { parseTables } from '../../src/tune/table.ts';
import { readExactly } from '../../src/weights/source.ts';
import { commandLine } from '../support/command-line.ts';
import { llamagen } from '../support/llamagen.ts';
import { tinyFolder } from '../support/tiny-model.ts';

/** One run on a software adapter that shares its processor with other tests. */
const RUN_MS = 120_000;

let folder: string;
let model: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-tune-'));
  model = join(folder, 'tiny');
  mkdirSync(model);
  const files = tinyFolder();
  for (const name of ['model.json', 'gpt.safetensors', 'vq.safetensors']) {
    const source = await files.open(name);
    writeFileSync(join(model, name), await readExactly(source, 0, source.byteLength));
  }
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

const tuneWith = (cache: string, ...more: readonly string[]) => ({
  args: ['tune', '--model', model, '--rows', '2', '--json', ...more],
  path: join(folder, cache, 'tiles.json'),
  env: { LLAMAGEN_CACHE: join(folder, cache) },
});

const measured = (path: string): string[] =>
  Object.values(parseTables(readFileSync(path, 'utf8'))).flatMap(({ tuned }) => Object.keys(tuned));

test('the table says what was chosen', () => {
  const times = { ownUs: 20, us: 10, measured: 3, refused: [{ span: 8 }] };
  const results = new Map([
    ['product f32[8,4]', { ...times, tile: { span: 4, wide: true } }],
    ['product f32[4,4]', { ...times, us: 20, tile: {} }],
    ['product f32[2,4]', { ...times, us: 20, tile: {}, unconfirmed: { span: 2 } }],
    ['conv 3x3 1[8,3,4]', { tile: {}, ownUs: 0, us: 0, measured: 0, refused: [] }],
  ]);
  expect(resultLines(results)).toEqual([
    'kernel             own us  best us  ratio  tiles  refused                         best',
    'product f32[8,4]     20.0     10.0   2.00      3        1             span=4 wide=true',
    'product f32[4,4]     20.0     20.0   1.00      3        1                   own choice',
    'product f32[2,4]     20.0     20.0   1.00      3        1  own choice (unsure: span=2)',
    'conv 3x3 1[8,3,4]       -        -      -      0        0                   own choice',
  ]);
  expect(resultLines(new Map())).toEqual([]);
});

describe('llamagen tune', { timeout: RUN_MS }, () => {
  test('measures every product once, keeps the results, and later runs know them', async () => {
    const { args, path, env } = tuneWith('a');
    vi.stubEnv('LLAMAGEN_CACHE', env.LLAMAGEN_CACHE);
    const first = await commandLine(...args);
    expect([first.code, first.stderr]).toEqual([0, expect.stringContaining(`wrote ${path}`)]);
    const { results, file } = JSON.parse(first.stdout);
    expect(file).toBe(path);
    const keys = Object.keys(results);
    for (const shape of ['f32[192,64]', 'f32[64,64]', '2 x f32[192,64]', 'f32[64,192]']) {
      expect(keys).toContain(`product ${shape}`);
    }
    for (const [key, result] of Object.entries<Record<string, never>>(results)) {
      const { measured, refused, us, ownUs } = result;
      if (key.startsWith('product ')) expect(measured).toBeGreaterThan(0);
      expect(refused).toEqual([]);
      expect(us).toBeLessThanOrEqual(ownUs!);
    }
    // What this machine was too busy to confirm is not kept, and measured again.
    const kept = keys.filter((key) => !results[key].unconfirmed);
    const unsure = keys.filter((key) => results[key].unconfirmed);
    expect(measured(path).sort()).toEqual(kept.sort());

    const again = JSON.parse((await commandLine(...args)).stdout);
    expect([again.known, Object.keys(again.results).sort()]).toEqual([kept.length, unsure.sort()]);
    const info = await commandLine('info', '--json');
    const { file: shown, measured: count } = JSON.parse(info.stdout).tiles;
    expect([shown, count]).toEqual([path, measured(path).length]);
    const out = ['--seed', '1', '--out', join(folder, 'a.png')];
    const made = await commandLine('generate', '--model', model, '--class', '1', ...out);
    expect([made.code, existsSync(join(folder, 'a.png'))]).toEqual([0, true]);
  });

  test('stopped with Ctrl-C, it keeps what it has and goes on from there', async () => {
    const { args, path, env } = tuneWith('b');
    const interruptWhen = (): boolean => existsSync(path);
    const stopped = await llamagen(args, { env, interruptWhen });
    expect([stopped.code, stopped.stderr]).toEqual([130, expect.stringContaining('stopped')]);
    const known = measured(path).length;
    expect(known).toBeGreaterThan(0);
    vi.stubEnv('LLAMAGEN_CACHE', env.LLAMAGEN_CACHE);
    const rest = JSON.parse((await commandLine(...args)).stdout);
    const results = Object.values<{ unconfirmed?: unknown }>(rest.results);
    expect(rest.known).toBe(known);
    const kept = results.filter(({ unconfirmed }) => !unconfirmed);
    expect(measured(path)).toHaveLength(known + kept.length);
  });

  test('says at once where it cannot write', async () => {
    writeFileSync(join(folder, 'file'), '');
    const { args, env } = tuneWith('file/cache');
    vi.stubEnv('LLAMAGEN_CACHE', env.LLAMAGEN_CACHE);
    const { code, stderr } = await commandLine(...args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/cannot write to .*cache/)]);
  });

  test('refuses rows that are none', async () => {
    const { code, stderr } = await commandLine('tune', '--rows', '2,0');
    expect([code, stderr]).toEqual([2, expect.stringMatching(/--rows.*from 1 to 256/)]);
  });
});
