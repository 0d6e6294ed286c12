/** Folders that appear whole or not at all, and hashes of files. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { sha256OfFile } from '../../src/node/hash-file.ts';
import { assertFolderFree, stageFolder } from '../../src/node/staging.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-staging-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (...names: string[]): string => join(folder, ...names);

test('nothing is in its place before the commit, all of it after', async () => {
  const staged = await stageFolder(at('a', 'b'), 10);
  await staged.write('one', async (sink) => {
    await sink.write(Uint8Array.of(1, 2));
    await sink.write(Uint8Array.of(3));
  });
  await staged.write('two', (sink) => sink.write(new Uint8Array(0)));
  expect(existsSync(at('a', 'b'))).toBe(false);
  staged.commit();
  expect(readdirSync(at('a', 'b')).sort()).toEqual(['one', 'two']);
  expect([...readFileSync(at('a', 'b', 'one'))]).toEqual([1, 2, 3]);
  expect(readdirSync(at('a'))).toEqual(['b']);
});

test('what is discarded leaves neither files nor folders that were not there', async () => {
  const staged = await stageFolder(at('a', 'b', 'c'), 10);
  await staged.write('one', (sink) => sink.write(Uint8Array.of(1)));
  staged.discard();
  expect(readdirSync(folder)).toEqual([]);
  mkdirSync(at('kept'));
  (await stageFolder(at('kept', 'c'), 10)).discard();
  expect(readdirSync(folder)).toEqual(['kept']);
});

test('a disk that is too small is refused with both sizes, and nothing is left', async () => {
  const staged = stageFolder(at('a', 'b'), 1e18);
  await expect(staged).rejects.toThrow(OptionError);
  await expect(staged).rejects.toThrow(/needs 1000000000000 MB, but the disk has only \d+ MB free/);
  expect(readdirSync(folder)).toEqual([]);
});

test('a commit over files that came in between fails and says so', async () => {
  const staged = await stageFolder(at('a'), 10);
  mkdirSync(at('a'));
  writeFileSync(at('a', 'mine'), '');
  expect(() => staged.commit()).toThrow(/cannot write .*a: /);
  staged.discard();
  expect(readdirSync(folder)).toEqual(['a']);
  expect(readdirSync(at('a'))).toEqual(['mine']);
});

test('places that cannot be written are refused beforehand', () => {
  writeFileSync(at('file'), '');
  expect(() => assertFolderFree(at('file', 'x'))).toThrow(OptionError);
  expect(() => assertFolderFree(at('file'))).toThrow('is not a folder');
  expect(() => assertFolderFree(folder)).toThrow('has files already');
  expect(() => assertFolderFree('/')).toThrow(OptionError);
  expect(() => assertFolderFree('')).toThrow(/got an empty path/);
  expect(() => assertFolderFree(at('new', 'x'))).not.toThrow();
});

test('the hash of a file is that of its bytes', async () => {
  const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251);
  writeFileSync(at('file'), bytes);
  const seen: number[] = [];
  const hash = await sha256OfFile(at('file'), { onProgress: (done) => seen.push(done) });
  expect(hash).toBe(createHash('sha256').update(bytes).digest('hex'));
  expect(seen).toEqual([2 ** 20, 2 ** 21, 3_000_000]);
  await expect(sha256OfFile(at('none'))).rejects.toThrow(WeightsError);
  await expect(sha256OfFile(folder)).rejects.toThrow('it is a folder');
  const stop = sha256OfFile(at('file'), { signal: AbortSignal.abort(new Error('stop')) });
  await expect(stop).rejects.toThrow('stop');
});
