import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { defaultModelFolder, openFile, openFolder, packageFolder } from '../../src/node/files.ts';
import { assertFolderWritable, assertWritable, writeFileAtomic } from '../../src/node/output.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, name);

describe('openFile', () => {
  test('reads ranges', async () => {
    writeFileSync(at('a'), Uint8Array.of(1, 2, 3, 4, 5));
    const source = await openFile(at('a'));
    expect(source.byteLength).toBe(5);
    expect([...(await source.read(1, 3))]).toEqual([2, 3, 4]);
    expect([...(await source.read(5, 0))]).toEqual([]);
    await expect(source.read(4, 2)).rejects.toThrow(WeightsError);
  });

  test('refuses what is not there and what is a folder', async () => {
    await expect(openFile(at('none'))).rejects.toThrow(/none: cannot be read: no such file/);
    await expect(openFile(folder)).rejects.toThrow(/expected a file/);
  });

  test('notices a file that changed or went away between reads', async () => {
    writeFileSync(at('a'), 'abc');
    const source = await openFile(at('a'));
    appendFileSync(at('a'), 'd');
    await expect(source.read(0, 1)).rejects.toThrow(/changed while it was read/);
    rmSync(at('a'));
    await expect(source.read(0, 1)).rejects.toThrow(WeightsError);
  });
});

describe('openFolder', () => {
  test('opens a file of the folder', async () => {
    writeFileSync(at('model.json'), '{}');
    expect((await openFolder(folder).open('model.json')).byteLength).toBe(2);
  });

  test('says what a model folder holds, or that there is none', async () => {
    await expect(openFolder(folder).open('vq.safetensors')).rejects.toThrow(
      /has no file "vq.safetensors"; a model folder holds/,
    );
    await expect(openFolder(at('none')).open('model.json')).rejects.toThrow(/no such model folder/);
  });

  test('the shipped model is in the package', () => {
    expect(defaultModelFolder().startsWith(packageFolder())).toBe(true);
    expect(readdirSync(defaultModelFolder())).toContain('model.json');
  });
});

describe('writeFileAtomic', () => {
  test('writes and replaces, and leaves nothing beside', () => {
    writeFileAtomic(at('a'), 'one');
    writeFileAtomic(at('a'), Uint8Array.of(50));
    expect(readFileSync(at('a'), 'utf8')).toBe('2');
    expect(readdirSync(folder)).toEqual(['a']);
  });

  test('writes through a link', () => {
    writeFileSync(at('real'), 'old');
    symlinkSync(at('real'), at('link'));
    writeFileAtomic(at('link'), 'new');
    expect(readFileSync(at('real'), 'utf8')).toBe('new');
  });

  test('fails with the path and the reason, and leaves nothing', () => {
    mkdirSync(at('b'));
    expect(() => writeFileAtomic(at('b'), '')).toThrow(/cannot write .*b: it is a folder/);
    expect(() => writeFileAtomic(at('none/a'), '')).toThrow(/no such file or folder/);
    expect(readdirSync(folder)).toEqual(['b']);
  });

  test.skipIf(process.platform === 'win32')('does not replace a device', () => {
    writeFileAtomic('/dev/null', 'x');
    assertWritable('/dev/null');
    expect(readFileSync('/dev/null', 'utf8')).toBe('');
  });
});

describe('assertWritable', () => {
  test('accepts a new and an old file, and changes neither', () => {
    writeFileSync(at('old'), 'text');
    assertWritable(at('old'));
    assertWritable(at('new'));
    expect(readFileSync(at('old'), 'utf8')).toBe('text');
    expect(readdirSync(folder)).toEqual(['old']);
  });

  test('refuses a folder, a missing folder and a file as folder', () => {
    writeFileSync(at('file'), '');
    expect(() => assertWritable(folder)).toThrow(OptionError);
    expect(() => assertWritable(at('none/a'))).toThrow(/no such file or folder/);
    expect(() => assertWritable(at('file/a'))).toThrow(OptionError);
    expect(() => assertFolderWritable(at('file'))).toThrow(/not a folder/);
    expect(() => assertFolderWritable(at('file/b'))).toThrow(OptionError);
  });

  test('accepts a folder that can be made', () => {
    assertFolderWritable(at('new/folder'));
    expect(readdirSync(folder)).toEqual([]);
  });
});
