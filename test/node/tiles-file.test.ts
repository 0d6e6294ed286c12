/** The file of measured tiles: what is kept, what is ignored, and what a device makes of it. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { variantOf } from '../../src/gpu/variants.ts';
import { openDevice } from '../../src/node/device.ts';
import { readTiles, tilesPath, writeTiles } from '../../src/node/tiles-file.ts';
import { adapterKey } from '../../src/tune/adapter-key.ts';
import { digestOf, kernelDigest } from '../../src/tune/digest.ts';
import { formatTables, parseTables } from '../../src/tune/table.ts';
import { VERSION } from '../../src/version.ts';
import { testDevice } from '../support/device.ts';

const device = await testDevice();
const TOGGLES = ['fast'];
const adapter = adapterKey(device, TOGGLES);
const variant = variantOf(device);
const kernels = await kernelDigest(variant);
const tuned = {
  'fake [1]': { tile: { span: 4 }, ownUs: 2, us: 1 },
  'fake [2]': { tile: {}, ownUs: 2, us: 2 },
};

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-tiles-'));
  path = join(folder, 'cache', 'tiles.json');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test('results are read where they were written, and a missing file is none', async () => {
  expect(await readTiles(device, TOGGLES, variant, path)).toEqual({
    path,
    adapter,
    tuned: {},
    tiles: {},
  });
  writeTiles({ path, adapter }, { kernels, tuned });
  const read = await readTiles(device, TOGGLES, variant, path);
  expect(read).toEqual({ path, adapter, tuned, tiles: { 'fake [1]': { span: 4 } } });
});

test('results of other adapters and toggles are kept, and not used', async () => {
  writeTiles({ path, adapter: 'another' }, { kernels: 'x', tuned });
  writeTiles({ path, adapter }, { kernels, tuned: {} });
  writeTiles({ path, adapter }, { kernels, tuned });
  const tables = parseTables(readFileSync(path, 'utf8'));
  expect(tables).toEqual({ another: { kernels: 'x', tuned }, [adapter]: { kernels, tuned } });
  expect((await readTiles(device, ['slow'], variant, path)).tuned).toEqual({});
});

test('results of another process stay, those of other kernels go', () => {
  const [one, two] = ['fake [1]', 'fake [2]'] as const;
  const keys = () => Object.keys(parseTables(readFileSync(path, 'utf8'))[adapter]!.tuned);
  writeTiles({ path, adapter }, { kernels, tuned: { [one]: tuned[one] } });
  writeTiles({ path, adapter }, { kernels, tuned: { [two]: tuned[two] } });
  expect(keys()).toEqual([one, two]);
  writeTiles({ path, adapter }, { kernels: 'newer', tuned: { [two]: tuned[two] } });
  expect(keys()).toEqual([two]);
});

describe('not used, with a note that says why:', () => {
  test.each<[string, string, RegExp]>([
    ['a broken file', '{"format":', /tiles.json: not used, it is not JSON \("llamagen tune"/],
    ['another format', '{"format":"x"}', /it is no llamagen-tiles-1 file/],
    [
      'results of other kernels',
      formatTables({ [adapter]: { kernels: `${VERSION} other`, tuned } }),
      /measured with other kernels/,
    ],
    [
      'results of another version',
      formatTables({ [adapter]: { kernels: kernels.replace(VERSION, '0.0.1'), tuned } }),
      /^[^\n]*measured with another version[^\n]*$/,
    ],
  ])('%s', async (_, text, note) => {
    mkdirSync(join(folder, 'cache'));
    writeFileSync(path, text);
    const read = await readTiles(device, TOGGLES, variant, path);
    expect(read.tiles).toEqual({});
    expect(read.note).toMatch(note);
    // The next results take its place.
    writeTiles({ path, adapter }, { kernels, tuned });
    expect((await readTiles(device, TOGGLES, variant, path)).tuned).toEqual(tuned);
  });

  test('a folder', async () => {
    mkdirSync(path, { recursive: true });
    expect((await readTiles(device, TOGGLES, variant, path)).note).toMatch(/it is a folder/);
    expect(() => writeTiles({ path, adapter }, { kernels, tuned })).toThrow(/it is a folder/);
  });
});

test('a place that cannot be written is named', () => {
  writeFileSync(join(folder, 'cache'), '');
  const write = () => writeTiles({ path, adapter }, { kernels, tuned });
  expect(write).toThrow(/cannot write .*tiles\.json: /);
  expect(existsSync(path)).toBe(false);
});

describe('a device that is opened', () => {
  const stored = (toggles: readonly string[]) => {
    const key = adapterKey(device, toggles);
    writeTiles({ path: tilesPath(), adapter: key }, { kernels, tuned });
  };

  test('gives the results, beside the tiles that are forced', async () => {
    vi.stubEnv('LLAMAGEN_CACHE', join(folder, 'cache'));
    const plain = await openDevice();
    expect(plain.tuned).toMatchObject({ path, tiles: {} });
    expect(plain.kernels.tiles).toEqual({});
    stored(plain.toggles);
    plain.close();
    const opened = await openDevice();
    expect(opened.notes.join()).not.toContain('tiles.json');
    expect(opened.kernels.tiles).toEqual({ 'fake [1]': { span: 4 } });
    opened.close();
    vi.stubEnv('LLAMAGEN_VARIANT', 'product.span=1');
    const forced = await openDevice();
    const tiles = { 'fake [1]': { span: 4 }, product: { span: 1 } };
    expect(forced.kernels).toEqual({ variant, tiles });
    forced.close();
    // What was measured says nothing about the kernels of another variant.
    vi.stubEnv('LLAMAGEN_VARIANT', variant.reduce === 'workgroup' ? 'serial' : 'workgroup');
    const other = await openDevice();
    expect(other.kernels.variant.reduce).not.toBe(variant.reduce);
    expect(other.kernels.tiles).toEqual({});
    expect(other.notes.join()).toContain('measured with other kernels');
    other.close();
    vi.stubEnv('LLAMAGEN_VARIANT', undefined);
    const without = await openDevice({ tuned: false });
    expect(without.kernels.tiles).toEqual({});
    without.close();
  });

  test('says that the file is broken, and works', async () => {
    vi.stubEnv('LLAMAGEN_CACHE', join(folder, 'cache'));
    mkdirSync(join(folder, 'cache'));
    writeFileSync(path, 'nonsense');
    const { notes, close } = await openDevice();
    expect(notes.join()).toContain(`${path}: not used, it is not JSON`);
    close();
  });
});

test('the digest is of the own choices, and differs when a text does', async () => {
  expect(await kernelDigest(variant)).toBe(kernels);
  const other = variant.reduce === 'serial' ? 'workgroup' : 'serial';
  expect(await kernelDigest({ ...variant, reduce: other })).not.toBe(kernels);
  expect(await digestOf([])).toMatch(/^[0-9a-f]{16}$/);
});
