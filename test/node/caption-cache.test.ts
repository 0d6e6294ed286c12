/** The cache of features: what it gives, what it forgets, and what it does about broken files. */
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CaptionCache } from '../../src/node/caption-cache.ts';
import { normal } from '../support/random.ts';

let folder: string;
let notes: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-captions-'));
  notes = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const cacheOf = (maxBytes?: number) =>
  new CaptionCache({ folder, maxBytes, onNote: (text) => notes.push(text) });
const features = (tokens: number, seed = 1) => ({
  values: normal(tokens * 8, seed, 1),
  tokens,
  dim: 8,
});
const files = (): string[] => readdirSync(folder).map((name) => join(folder, name));

describe('features', () => {
  test('are found by encoder and ids, bit for bit', async () => {
    const cache = cacheOf();
    expect(await cache.get('a', [5, 1])).toBeUndefined();
    cache.keep('a', [{ ids: [5, 1], features: features(2) }]);
    expect(await cache.get('a', [5, 1])).toEqual(features(2));
    expect(await cacheOf().get('a', [5, 1])).toEqual(features(2));
    for (const [encoder, ids] of [
      ['b', [5, 1]],
      ['a', [51]],
      ['a', [5, 1, 1]],
    ] as const) {
      expect(await cache.get(encoder, [...ids])).toBeUndefined();
    }
    expect(notes).toEqual([]);
  });

  test('that were used longest ago make room', async () => {
    const probe = cacheOf();
    probe.keep('a', [{ ids: [0], features: features(10) }]);
    const bytes = statSync(files()[0]!).size;
    rmSync(files()[0]!);
    const cache = cacheOf(3 * bytes);
    const ago = (seconds: number): Date => new Date(Date.now() - 1000 * seconds);
    for (const id of [1, 2, 3]) {
      const before = new Set(files());
      cache.keep('a', [{ ids: [id], features: features(10, id) }]);
      const [made] = files().filter((path) => !before.has(path));
      utimesSync(made!, ago(100 - id), ago(100 - id));
    }
    // To be used makes it the newest.
    expect(await cache.get('a', [1])).toBeDefined();
    cache.keep('a', [{ ids: [4], features: features(10, 4) }]);
    const there = await Promise.all([1, 2, 3, 4].map((id) => cache.get('a', [id])));
    expect(there.map((found) => found !== undefined)).toEqual([true, false, true, true]);
  });

  test('of a broken file are none, and the file is gone', async () => {
    const cache = cacheOf();
    const broken = [
      (bytes: Buffer) => bytes.subarray(0, 40),
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.of(7)]),
      () => Buffer.from('<html>'),
      () => Buffer.alloc(0),
    ];
    for (const change of broken) {
      cache.keep('a', [{ ids: [1], features: features(3) }]);
      const [path] = files();
      writeFileSync(path!, change(readFileSync(path!)));
      expect(await cache.get('a', [1])).toBeUndefined();
      expect(files()).toEqual([]);
    }
    expect(notes).toHaveLength(broken.length);
    expect(notes[1]).toMatch(/not used, its bytes were changed: encoding the prompt again/);
  });

  test('of another file under this name are none', async () => {
    const cache = cacheOf();
    cache.keep('a', [{ ids: [1], features: features(3, 1) }]);
    const [path] = files();
    const first = readFileSync(path!);
    rmSync(path!);
    cache.keep('a', [{ ids: [2], features: features(3, 2) }]);
    writeFileSync(files()[0]!, first);
    expect(await cache.get('a', [2])).toBeUndefined();
  });

  test('that cannot be kept are a line', () => {
    writeFileSync(join(folder, 'file'), '');
    const cache = new CaptionCache({
      folder: join(folder, 'file', 'captions'),
      onNote: (text) => notes.push(text),
    });
    cache.keep('a', [{ ids: [1], features: features(1) }]);
    expect(notes).toEqual([expect.stringMatching(/features of prompts are not kept: /)]);
  });
});
