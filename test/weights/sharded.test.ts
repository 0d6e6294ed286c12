/** Weights in shards, with an index. */
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { openModelWeights } from '../../src/weights/model-weights.ts';
import { type ModelFiles, memorySource, readExactly } from '../../src/weights/source.ts';
import { writeSafetensors } from '../support/safetensors.ts';

const tensor = (value: number) => ({ dtype: 'U8', shape: [2], bytes: Uint8Array.of(value, value) });
const shard = (tensors: Record<string, number>): Uint8Array =>
  writeSafetensors(
    Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, tensor(value)])),
  );
const text = (value: unknown): Uint8Array =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

const FIRST = 'gpt-00001-of-00002.safetensors';
const SECOND = 'gpt-00002-of-00002.safetensors';
const MAP = { a: FIRST, b: SECOND, c: FIRST };
const SOUND: Readonly<Record<string, Uint8Array>> = {
  'gpt.safetensors.index.json': text({ metadata: { total_size: 6 }, weight_map: MAP }),
  [FIRST]: shard({ a: 1, c: 3 }),
  [SECOND]: shard({ b: 2 }),
};

const folder = (files: Readonly<Record<string, Uint8Array | undefined>>): ModelFiles => ({
  name: 'folder',
  async open(file) {
    const bytes = files[file];
    if (!bytes) throw new WeightsError(`folder: has no file "${file}"`);
    return memorySource(file, bytes);
  },
});

test('shards are one collection, each tensor read from its own file', async () => {
  const file = await openModelWeights(folder(SOUND), 'gpt');
  expect(file.name).toBe('gpt.safetensors.index.json');
  expect([...file.tensors.keys()].sort()).toEqual(['a', 'b', 'c']);
  for (const [name, value, source] of [
    ['a', 1, FIRST],
    ['b', 2, SECOND],
    ['c', 3, FIRST],
  ] as const) {
    const entry = file.tensors.get(name)!;
    expect(entry.source.name).toBe(source);
    expect([...(await readExactly(entry.source, entry.offset, 2))]).toEqual([value, value]);
  }
  expect(file.metadata.get('format')).toBe('pt');
});

test('an index may begin with a byte order mark', async () => {
  const index = text(`\uFEFF${JSON.stringify({ weight_map: MAP })}`);
  const files = folder({ ...SOUND, 'gpt.safetensors.index.json': index });
  expect((await openModelWeights(files, 'gpt')).tensors.size).toBe(3);
});

test('a single file comes first', async () => {
  const file = await openModelWeights(
    folder({ ...SOUND, 'gpt.safetensors': shard({ z: 1 }) }),
    'gpt',
  );
  expect([...file.tensors.keys()]).toEqual(['z']);
});

describe('refused', () => {
  const withIndex = (index: unknown) => ({ ...SOUND, 'gpt.safetensors.index.json': text(index) });
  const map = (weight_map: unknown) => withIndex({ weight_map });

  test.each<[string, Readonly<Record<string, Uint8Array | undefined>>, RegExp]>([
    ['no file at all', {}, /has no file "gpt.safetensors"$/],
    ['a broken single file', { ...SOUND, 'gpt.safetensors': text('{') }, /not a safetensors file/],
    [
      'a missing shard',
      { ...SOUND, [SECOND]: undefined },
      /shard gpt-00002.* cannot be opened: .*no file/,
    ],
    [
      'a broken shard',
      { ...SOUND, [SECOND]: text('nonsense') },
      /gpt-00002.*not a safetensors file/,
    ],
    [
      'a listed tensor that its shard lacks',
      map({ ...MAP, d: SECOND, e: FIRST }),
      /the shards lack tensors that it lists: d \(gpt-00002.*\), e \(gpt-00001/,
    ],
    ['a tensor in another shard', map({ ...MAP, b: FIRST, z: SECOND }), /shard gpt-0000.*: (b|z)/],
    [
      'a tensor not listed',
      map({ a: FIRST, b: SECOND }),
      /shard gpt-00001.* does not place there: c/,
    ],
    [
      'a tensor in two shards',
      { ...SOUND, [SECOND]: shard({ b: 2, a: 9 }) },
      /tensor "a" is in two shards, gpt-00001.* and gpt-00002/,
    ],
    ['text that is no JSON', withIndex('{'), /index.json: not JSON/],
    ['no map', withIndex({ weights: {} }), /"weight_map" expected an object/],
    ['a list', withIndex([1]), /"weight_map" expected an object/],
    ['an empty map', map({}), /names no tensor/],
    ['a number as file', map({ a: 1 }), /"a" expected the name of a .safetensors file, got 1/],
    ['a path', map({ a: '../other.safetensors' }), /"a" expected the name of .*got "\.\.\/other/],
    ['another kind of file', map({ a: 'a.bin' }), /"a" expected the name of a .safetensors file/],
    [
      'a file name that is a list deeper than the stack',
      withIndex(`{"weight_map": {"a": ${'['.repeat(1e5)}${']'.repeat(1e5)}}}`),
      /index.json: "weight_map": "a" expected the name of .*got \[{80}\.\.\.$/,
    ],
    [
      'a name of a million characters',
      map({ ...MAP, ['x'.repeat(1e6)]: SECOND }),
      /the shards lack tensors that it lists: x{80}\.\.\. \(gpt-00002[^ ]*\)$/,
    ],
    [
      'a file name that no file system has',
      map({ ...MAP, a: `${'x'.repeat(1e6)}.safetensors` }),
      /"a" expected the name of a .safetensors file, got "x{79}\.\.\.$/,
    ],
    [
      'a name of a million characters that is not listed',
      { ...SOUND, [SECOND]: shard({ b: 2, ['x'.repeat(1e6)]: 3 }) },
      /shard gpt-00002.* does not place there: x{80}\.\.\.$/,
    ],
    [
      'the same key twice',
      withIndex(`{"weight_map": {"a": "${FIRST}", "a": "${FIRST}"}}`),
      /has the key "a" twice/,
    ],
  ])('%s', async (_, files, message) => {
    const opening = openModelWeights(folder(files), 'gpt');
    await expect(opening).rejects.toThrow(WeightsError);
    await expect(opening).rejects.toThrow(message);
  });

  test('other failures of a folder pass through', async () => {
    const reason = new Error('no answer');
    const files: ModelFiles = { name: 'folder', open: () => Promise.reject(reason) };
    await expect(openModelWeights(files, 'gpt')).rejects.toBe(reason);
  });
});
