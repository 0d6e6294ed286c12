/** Sizes and texts of PNG files, good ones and others. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OptionError } from '../../src/errors.ts';
import { encodePng } from '../../src/node/png.ts';
import { readPngFacts } from '../../src/node/png-read.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llamagen-png-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const picture = { width: 3, height: 2, rgba: new Uint8ClampedArray(24).fill(255) };

const chunk = (name: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
};

const text = (name: string, ...parts: (string | Uint8Array)[]): Buffer =>
  chunk(
    name,
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))),
  );

/** A picture with more chunks after its header. */
function withChunks(...chunks: Uint8Array[]): Buffer {
  const png = Buffer.from(encodePng(picture));
  return Buffer.concat([png.subarray(0, 33), ...chunks, png.subarray(33)]);
}

function readBack(bytes: Uint8Array) {
  const path = join(folder, 'picture.png');
  writeFileSync(path, bytes);
  return readPngFacts(path);
}

const texts = (bytes: Uint8Array) => Object.fromEntries(readBack(bytes).text);

test('reads back what encodePng wrote', () => {
  const given = { Title: 'Café', Comment: '梨 🍐\nsecond line', llamagen: '{"seed":7}', empty: '' };
  const facts = readBack(encodePng(picture, { text: given }));
  expect([facts.width, facts.height]).toEqual([3, 2]);
  expect(Object.fromEntries(facts.text)).toEqual(given);
  expect(readBack(encodePng(picture)).text.size).toBe(0);
});

test('reads compressed texts, and texts behind the pixels', () => {
  const packed = deflateSync(Buffer.from('much '.repeat(1000)));
  const utf8 = deflateSync(Buffer.from('梨'));
  expect(texts(withChunks(text('zTXt', 'a\0\0', packed)))).toEqual({ a: 'much '.repeat(1000) });
  expect(texts(withChunks(text('iTXt', 'b\0\x01\0de\0Birne\0', utf8)))).toEqual({ b: '梨' });
  expect(texts(withChunks(text('iTXt', 'b\0\0\0zh\0\0', '梨')))).toEqual({ b: '梨' });
  const png = Buffer.from(encodePng(picture));
  const late = Buffer.concat([png.subarray(0, -12), text('tEXt', 'c\0late'), png.subarray(-12)]);
  expect(texts(late)).toEqual({ c: 'late' });
});

test('of equal keywords the first counts, and names of properties are only names', () => {
  const chunks = [text('tEXt', 'a\x001'), text('tEXt', 'a\x002'), text('tEXt', '__proto__\0x')];
  const { text: found } = readBack(withChunks(...chunks));
  expect([...found]).toEqual([
    ['a', '1'],
    ['__proto__', 'x'],
  ]);
});

test('what stands behind the last chunk is not read', () => {
  expect(texts(Buffer.concat([withChunks(), Buffer.from('rest')]))).toEqual({});
});

describe('refuses', () => {
  const bomb = deflateSync(Buffer.alloc(20 * 2 ** 20));
  const half = deflateSync(Buffer.alloc(10 * 2 ** 20));
  const flipped = withChunks(text('tEXt', 'a\0text'));
  flipped[45] = (flipped[45] ?? 0) ^ 1;

  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /is no PNG file/],
    ['a JPEG', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70, 0), /is no PNG file/],
    ['text', Buffer.from('PNG, or so it says'), /is no PNG file/],
    ['the signature alone', encodePng(picture).subarray(0, 8), /is cut off/],
    ['a picture without its end', encodePng(picture).subarray(0, -12), /before its last chunk/],
    [
      'one cut within its pixels',
      encodePng(picture).subarray(0, -20),
      /within the chunk at byte 33/,
    ],
    ['a chunk longer than any file', withChunks(Buffer.from('ffffffff74455874', 'hex')), /byte 33/],
    [
      'another chunk before the header',
      Buffer.concat([
        encodePng(picture).subarray(0, 8),
        text('tEXt', 'a\0b'),
        chunk('IEND', new Uint8Array(0)),
      ]),
      /does not begin with its size/,
    ],
    ['a wrong checksum', flipped, /chunk at byte 33 has a wrong checksum/],
    ['a text without keyword', withChunks(text('tEXt', 'a')), /has no keyword/],
    ['a text with an empty keyword', withChunks(text('tEXt', '\0a')), /has no keyword/],
    ['half an iTXt', withChunks(text('iTXt', 'a\0\0\0de')), /is not complete/],
    ['a broken zTXt', withChunks(text('zTXt', 'a\0\0', 'nothing')), /cannot be decompressed/],
    ['a zTXt that grows without end', withChunks(text('zTXt', 'a\0\0', bomb)), /more than 16 MiB/],
    ['an iTXt that does', withChunks(text('iTXt', 'a\0\x01\0\0\0', bomb)), /more than 16 MiB/],
    [
      'several that do together',
      withChunks(text('zTXt', 'a\0\0', half), text('zTXt', 'b\0\0', half)),
      /more than 16 MiB/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => readBack(bytes)).toThrow(OptionError);
    expect(() => readBack(bytes)).toThrow(message);
  });

  test('a text beyond the limit before it is read', () => {
    const path = join(folder, 'large.png');
    const head = Buffer.from(withChunks().subarray(0, 33));
    writeFileSync(path, Buffer.concat([head, Buffer.from('7000000074455874', 'hex')]));
    truncateSync(path, 33 + 12 + 0x70000000);
    const before = process.memoryUsage().rss;
    expect(() => readPngFacts(path)).toThrow(/more than 16 MiB/);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });

  test('what is no file', () => {
    mkdirSync(join(folder, 'sub'), { recursive: true });
    expect(() => readPngFacts(join(folder, 'sub'))).toThrow(/expected a PNG file, got a folder/);
    expect(() => readPngFacts('/dev/null')).toThrow(/got a folder or a device/);
    expect(() => readPngFacts(join(folder, 'nothing.png'))).toThrow(/no such file/);
  });
});
