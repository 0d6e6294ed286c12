/** What the library says of prompts that cannot be read, before any device is used. */
import { expect, test } from 'vitest';
import { OptionError, WeightsError } from '../../src/errors.ts';
import { openPromptReader, parseModelJson } from '../../src/index.ts';
import { memorySource } from '../../src/weights/source.ts';
import { tinyFiles } from '../support/tiny-model.ts';
import { tinyTextFiles } from '../support/tiny-text-model.ts';

const folderOf = (files: Readonly<Record<string, Uint8Array>>) => ({
  name: 'folder',
  open: async (file: string) => {
    const bytes = files[file];
    if (!bytes) throw new WeightsError(`folder: has no file "${file}"`);
    return memorySource(file, bytes);
  },
});
const configOf = (files: Readonly<Record<string, Uint8Array>>) =>
  parseModelJson(new TextDecoder().decode(files['model.json']));

test('prompts are read without a device', async () => {
  const files = tinyTextFiles();
  const reader = await openPromptReader(folderOf(files), configOf(files));
  const [first, second] = reader.read(['Two LEMON', 'a <i>cat</i>  on a lemon']);
  expect(first).toEqual({ prompt: 'Two LEMON', text: 'two lemon', ids: [5, 4, 1] });
  expect(second?.text).toBe('a cat on a lemon');
});

test('a model of classes reads none', async () => {
  const files = tinyFiles();
  const failed = openPromptReader(folderOf(files), configOf(files));
  await expect(failed).rejects.toThrow(/tiny makes images of classes and reads no text/);
  await expect(failed).rejects.toThrow(OptionError);
});

test.each([
  ['no tokenizer', undefined, /prompts need tokenizer.json, which cannot be read/],
  ['a damaged one', '{"model": {', /tokenizer.json/],
])('a folder with %s reads none', async (_, tokenizer, message) => {
  const { 'tokenizer.json': __, ...files } = tinyTextFiles();
  const broken = tokenizer === undefined ? {} : { 'tokenizer.json': Buffer.from(tokenizer) };
  const failed = openPromptReader(folderOf({ ...files, ...broken }), configOf(files));
  await expect(failed).rejects.toThrow(message);
  await expect(failed).rejects.toThrow(WeightsError);
});
