import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { openSafetensors } from '../../src/weights/safetensors.ts';
import { memorySource } from '../../src/weights/source.ts';
import { countingSource, rawFile, writeSafetensors } from '../support/safetensors.ts';

const golden = (path: string): URL => new URL(`../golden/${path}`, import.meta.url);

test('reads names, types, shapes and absolute offsets of a real file', async () => {
  const bytes = await readFile(golden('c2i_tiny/model.safetensors'));
  const file = await openSafetensors(memorySource('tiny', bytes));
  expect(file.tensors.size).toBe(18);
  const { source, ...entry } = file.tensors.get('cls_embedding.embedding_table.weight')!;
  expect(source.name).toBe('tiny');
  expect(entry).toEqual({
    name: 'cls_embedding.embedding_table.weight',
    dtype: 'F32',
    shape: [11, 64],
    offset: 8 + 1712,
    byteLength: 2816,
  });
  const last = file.tensors.get('tok_embeddings.weight')!;
  expect(last.offset + last.byteLength).toBe(bytes.length);
  expect(file.metadata.get('case')).toBe('c2i_tiny');
});

test('reads the length and the header, and no tensor', async () => {
  const bytes = await readFile(golden('vq_l2/model.safetensors'));
  const source = countingSource('vq', bytes);
  await openSafetensors(source);
  expect(source.reads).toEqual([
    [0, 8],
    [8, 15320],
  ]);
});

test('accepts what the reference accepts: no tensors, scalars, empty tensors, padding', async () => {
  const none = await openSafetensors(memorySource('none', rawFile('{}  ', 0)));
  expect(none.tensors.size).toBe(0);
  const file = writeSafetensors({
    scalar: { dtype: 'F64', shape: [], bytes: new Uint8Array(8) },
    empty: { dtype: 'I32', shape: [0, 3], bytes: new Uint8Array(0) },
    eight: { dtype: 'F8_E4M3', shape: [3], bytes: new Uint8Array(3) },
    odd: { dtype: 'BF16', shape: [1], bytes: new Uint8Array(2) },
  });
  const { tensors } = await openSafetensors(memorySource('odd', file));
  expect([...tensors.keys()]).toEqual(['scalar', 'empty', 'eight', 'odd']);
  expect(tensors.get('odd')!.byteLength).toBe(2);
});

/** Types of the reference implementation 0.8, with their bits. */
const BITS = {
  ...{ BOOL: 8, F4: 4, F6_E2M3: 6, F6_E3M2: 6, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8 },
  ...{ F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8, I16: 16, U16: 16, F16: 16, BF16: 16, I32: 32, U32: 32 },
  ...{ F32: 32, C64: 64, F64: 64, I64: 64, U64: 64 },
};

test.each(Object.entries(BITS))('%s has %i bits', async (dtype, bits) => {
  const open = (shape: number[], bytes: number) =>
    openSafetensors(
      memorySource('f', writeSafetensors({ w: { dtype, shape, bytes: new Uint8Array(bytes) } })),
    );
  for (const shape of [[4], [2, 2], [3, 0]]) {
    const bytes = (shape.reduce((n, d) => n * d, 1) * bits) / 8;
    const { tensors } = await open(shape, bytes);
    expect(tensors.get('w')).toMatchObject({ dtype, shape, byteLength: bytes });
    const more = open(shape, bytes + 1);
    await expect(more).rejects.toThrow(`w": ${dtype}[${shape}] needs ${bytes} bytes, but`);
  }
  // Part of a byte is no end of a tensor.
  const three = open([3], Math.ceil((3 * bits) / 8));
  if ((3 * bits) % 8 === 0) expect((await three).tensors.size).toBe(1);
  else await expect(three).rejects.toThrow(`${dtype}[3] has ${3 * bits} bits, which are no whole`);
});

test('accepts oddities of the reference: no metadata, unknown fields, sizes beside a zero', async () => {
  const entry = `"dtype":"F64","shape":[2147483648,2147483648,0],"data_offsets":[0,0]`;
  const deep = `${'['.repeat(125)}${']'.repeat(125)}`;
  const header = `{"__metadata__":null,"w":{${entry},"x":1.5,"y":{"shape":[16.0]},"z":${deep}}}`;
  const file = await openSafetensors(memorySource('f', rawFile(header, 0)));
  expect([...file.metadata]).toEqual([]);
  expect(file.tensors.get('w')?.byteLength).toBe(0);
  const none = await openSafetensors(memorySource('f', rawFile('{"__metadata__":{}} \n\t\r', 0)));
  expect(none.tensors.size).toBe(0);
});

test('the map is in the order of the data, whatever the order of the header', async () => {
  const header = JSON.stringify({
    b: { dtype: 'U8', shape: [2], data_offsets: [1, 3] },
    a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
  });
  const { tensors } = await openSafetensors(memorySource('ab', rawFile(header, 3)));
  expect([...tensors.keys()]).toEqual(['a', 'b']);
});

test('a tensor may have a name that objects inherit', async () => {
  const header = `{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`;
  const { tensors } = await openSafetensors(memorySource('proto', rawFile(header, 1)));
  expect(tensors.get('__proto__')?.shape).toEqual([1]);
});

const entry = (fields: object): string =>
  JSON.stringify({ w: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields } });
const two = (a: [number, number], b: [number, number]): string =>
  JSON.stringify({
    a: { dtype: 'U8', shape: [a[1] - a[0]], data_offsets: a },
    b: { dtype: 'U8', shape: [b[1] - b[0]], data_offsets: b },
  });
const huge = 2 ** 52;

interface Broken {
  readonly what: string;
  readonly file: Uint8Array;
  readonly message: string;
}

const broken: readonly Broken[] = [
  { what: 'empty file', file: new Uint8Array(0), message: 'expected at least 8 bytes, got 0' },
  { what: 'cut length', file: new Uint8Array(7), message: 'expected at least 8 bytes, got 7' },
  {
    what: 'header longer than allowed',
    file: rawFile('{}', 0, 100_000_001n),
    message: 'the header claims 100000001 bytes, at most 100000000 are allowed',
  },
  {
    what: 'header length beyond 2^53',
    file: rawFile('{}', 0, 2n ** 64n - 1n),
    message: 'the header claims 18446744073709551615 bytes',
  },
  {
    what: 'header longer than the file',
    file: rawFile('{}', 0, 3n),
    message: 'the header claims 3 bytes, but the file has only 10: it was cut short',
  },
  { what: 'no header', file: rawFile('', 4), message: 'the header must start with "{", got ""' },
  { what: 'space first', file: rawFile(' {}', 0), message: 'must start with "{", got " {}"' },
  { what: 'not JSON', file: rawFile('{"a":', 0), message: 'the header is not JSON: ' },
  {
    what: 'not UTF-8',
    file: rawFile('{"a":0}', 0).map((byte) => (byte === 0x61 ? 0xff : byte)),
    message: 'the header is not UTF-8 text',
  },
  {
    what: 'tensor twice',
    file: rawFile(`{"w":{"dtype":"U8"},"\\u0077":{}}`, 0),
    message: 'the header has the key "w" twice',
  },
  {
    what: 'field twice',
    file: rawFile(`{"w":{"dtype":"U8","shape":[],"dtype":"I8"}}`, 0),
    message: 'the header has the key "dtype" twice',
  },
  {
    what: 'metadata that is no object',
    file: rawFile('{"__metadata__":["a"]}', 0),
    message: '"__metadata__" expected an object of strings, got ["a"]',
  },
  {
    what: 'metadata that is no string',
    file: rawFile('{"__metadata__":{"step":3}}', 0),
    message: '"__metadata__": "step" expected a string, got 3',
  },
  {
    what: 'entry that is no object',
    file: rawFile('{"w":null}', 0),
    message: 'tensor "w": expected {dtype, shape, data_offsets}, got null',
  },
  {
    what: 'unknown dtype',
    file: rawFile(entry({ dtype: 'C128' }), 8),
    message: 'tensor "w": "dtype" expected one of C64 F64 ',
  },
  {
    what: 'inherited dtype',
    file: rawFile(entry({ dtype: 'toString' }), 8),
    message: '"dtype" expected one of ',
  },
  {
    what: 'negative size',
    file: rawFile(entry({ shape: [-2] }), 8),
    message: 'tensor "w": "shape" expected an array of whole numbers from 0 up, got [-2]',
  },
  { what: 'fractional size', file: rawFile(entry({ shape: [0.5] }), 8), message: 'got [0.5]' },
  { what: 'shape of texts', file: rawFile(entry({ shape: ['2'] }), 8), message: 'got ["2"]' },
  { what: 'no shape', file: rawFile(entry({ shape: undefined }), 8), message: 'got undefined' },
  ...['2.0', '2e0', '20e-1', '-0', '0.0', '-0.0e5'].map((size) => ({
    what: `size ${size}`,
    file: rawFile(`{"w":{"dtype":"F32","shape":[${size}],"data_offsets":[0,8]}}`, 8),
    message: `tensor "w": "shape" expected whole numbers in digits, got ${size}`,
  })),
  {
    what: 'offset as a fraction',
    file: rawFile('{"w":{"dtype":"F32","data_offsets" : [ 0, 8.0 ],"shape":[2]}}', 8),
    message: 'tensor "w": "data_offsets" expected whole numbers in digits, got 8.0',
  },
  {
    what: 'a fraction after a key in quotes',
    file: rawFile(String.raw`{"a\"[{":{"dtype":"U8","\u0073hape":[1.0],"data_offsets":[0,1]}}`, 1),
    message: String.raw`tensor "a\"[{": "shape" expected whole numbers in digits, got 1.0`,
  },
  {
    what: 'a header deeper than the reference reads',
    file: rawFile(`{"w":${'['.repeat(127)}${']'.repeat(127)}}`, 0),
    message: 'the header is 128 levels deep, at most 127 are read',
  },
  {
    what: 'a header deeper than the stack',
    file: rawFile(`{"w":${'['.repeat(1e5)}${']'.repeat(1e5)}}`, 0),
    message: 'the header is 100001 levels deep',
  },
  {
    what: 'a name of a million characters',
    file: rawFile(JSON.stringify({ ['w'.repeat(1e6)]: null }), 0),
    message: `tensor "${'w'.repeat(79)}...: expected {dtype, shape, data_offsets}, got null`,
  },
  {
    what: 'a shape of a million sizes',
    file: rawFile(entry({ shape: Array(1e6).fill(1), data_offsets: [0, 0] }), 0),
    message: `F32[${'1,'.repeat(39)}1... needs 4 bytes`,
  },
  { what: 'a byte order mark', file: rawFile('\uFEFF{}', 0), message: 'must start with "{"' },
  {
    what: 'half a character in a name',
    file: rawFile(String.raw`{"\ud800":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}`, 1),
    message: String.raw`"\ud800" has half a character`,
  },
  {
    what: 'half a character in the metadata',
    file: rawFile(String.raw`{"__metadata__":{"a":"\udc00"}}`, 0),
    message: 'has half a character',
  },
  {
    what: 'metadata of a number that is nothing',
    file: rawFile('{"__metadata__":{"step":null}}', 0),
    message: '"__metadata__": "step" expected a string, got null',
  },
  {
    what: 'an empty tensor inside another',
    file: rawFile(two([0, 4], [2, 2]), 4),
    message: 'tensor "b" overlaps "a"',
  },
  { what: 'white space for a header', file: rawFile('   ', 0), message: 'must start with "{"' },
  {
    what: 'one offset',
    file: rawFile(entry({ data_offsets: [8] }), 8),
    message: '"data_offsets" expected [begin, end] in bytes, got [8]',
  },
  {
    what: 'offsets reversed',
    file: rawFile(entry({ data_offsets: [8, 0] }), 8),
    message: 'tensor "w": "data_offsets" begin at 8, after their end 0',
  },
  {
    what: 'offset outside the file',
    file: rawFile(entry({ data_offsets: [8, 16] }), 8),
    message: 'tensor "w": ends at byte 16 of the data, but the file has only 8 bytes of data',
  },
  {
    what: 'truncated data',
    file: rawFile(entry({}), 5),
    message: 'tensor "w": ends at byte 8 of the data, but the file has only 5 bytes of data',
  },
  {
    what: 'shape that needs more',
    file: rawFile(entry({ shape: [3] }), 8),
    message: 'tensor "w": F32[3] needs 12 bytes, but "data_offsets" span 8',
  },
  {
    what: 'shape that overflows',
    file: rawFile(entry({ shape: [huge, huge] }), 8),
    message: `tensor "w": "shape" [${huge},${huge}] has too many elements to count`,
  },
  {
    what: 'overflow hidden behind a zero',
    file: rawFile(entry({ shape: [huge, huge, 0], data_offsets: [0, 0] }), 0),
    message: 'has too many elements to count',
  },
  {
    what: 'overlap',
    file: rawFile(two([0, 4], [3, 8]), 8),
    message: 'tensor "b" overlaps "a": it begins 1 bytes too early',
  },
  {
    what: 'gap',
    file: rawFile(two([0, 4], [6, 8]), 8),
    message: '2 bytes between "a" and "b" are unused',
  },
  {
    what: 'gap at the start',
    file: rawFile(entry({ data_offsets: [4, 12] }), 12),
    message: '4 bytes between the header and "w" are unused',
  },
  {
    what: 'trailing bytes',
    file: rawFile(entry({}), 9),
    message: '1 bytes after "w" belong to no tensor',
  },
  { what: 'data without tensors', file: rawFile('{}', 2), message: '2 bytes after the header' },
];

describe('a broken file is refused', () => {
  test.each(broken)('$what', async ({ file, message }) => {
    const opened = openSafetensors(memorySource('bad.safetensors', file));
    await expect(opened).rejects.toThrow(WeightsError);
    await expect(opened).rejects.toThrow(`bad.safetensors: `);
    await expect(opened).rejects.toThrow(message);
  });

  test('cut anywhere', async () => {
    const file = writeSafetensors({
      a: { dtype: 'F16', shape: [3], bytes: new Uint8Array(6) },
      b: { dtype: 'F32', shape: [2, 1], bytes: new Uint8Array(8) },
    });
    for (let length = 0; length < file.length; length++) {
      const opened = openSafetensors(memorySource('cut', file.subarray(0, length)));
      await expect(opened, `${length} bytes`).rejects.toThrow(WeightsError);
    }
  });

  test('any flipped header byte is refused or harmless', async () => {
    const file = writeSafetensors({ a: { dtype: 'F16', shape: [3], bytes: new Uint8Array(6) } });
    for (let at = 0; at < file.length - 6; at++) {
      const flipped = file.map((byte, i) => (i === at ? byte ^ 0x04 : byte));
      try {
        const { tensors } = await openSafetensors(memorySource('flipped', flipped));
        for (const { offset, byteLength } of tensors.values()) {
          expect(offset + byteLength).toBe(file.length);
        }
      } catch (error) {
        expect(error, `byte ${at}`).toBeInstanceOf(WeightsError);
      }
    }
  });
});
