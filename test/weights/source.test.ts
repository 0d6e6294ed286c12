import { expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { type ByteSource, memorySource, readExactly } from '../../src/weights/source.ts';

const bytes = Uint8Array.from([10, 11, 12, 13, 14]);

test('a memory source reads ranges', async () => {
  const source = memorySource('five', bytes);
  expect(source.byteLength).toBe(5);
  expect([...(await source.read(1, 3))]).toEqual([11, 12, 13]);
  expect([...(await source.read(5, 0))]).toEqual([]);
});

test('a read is a copy that starts at any address', async () => {
  const source = memorySource('five', bytes.subarray(1));
  const read = await source.read(1, 2);
  read[0] = 99;
  expect([...(await source.read(1, 2))]).toEqual([12, 13]);
});

test.each([
  [4, 2],
  [6, 0],
  [-1, 2],
  [0, -1],
  [0.5, 1],
  [0, Number.NaN],
])('a range outside the file is refused: %d, %d', async (offset, length) => {
  const read = memorySource('five', bytes).read(offset, length);
  await expect(read).rejects.toThrow(WeightsError);
  await expect(read).rejects.toThrow(
    `five: cannot read ${length} bytes at ${offset}: the file has 5 bytes`,
  );
});

test('a source that returns too little is caught', async () => {
  const lying: ByteSource = { name: 'lying', byteLength: 5, read: async () => bytes.slice(0, 2) };
  await expect(readExactly(lying, 0, 3)).rejects.toThrow(
    'lying: expected 3 bytes at 0, got 2: the file was cut or changed',
  );
});
