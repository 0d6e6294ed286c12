/** Files in blocks: read as they were written, whatever is read, and mended where they were damaged. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { BLOCK_BYTES, Blocks } from '../../../src/web/store/blocks.ts';
import { memoryPlace } from '../../../src/web/store/memory.ts';
import type { Bytes, Place } from '../../../src/web/store/place.ts';
import { getSealed, putSealed, SEAL_BYTES } from '../../../src/web/store/sealed.ts';
import { spillingPlace } from '../../../src/web/store/spill.ts';

const LENGTH = 2 * BLOCK_BYTES + 1234;
const CONTENT = Uint8Array.from({ length: LENGTH }, (_, i) => (i * 2654435761) >>> 13);
const block = (index: number): Bytes =>
  CONTENT.slice(index * BLOCK_BYTES, Math.min(LENGTH, (index + 1) * BLOCK_BYTES));

let place: Place;
let blocks: Blocks;
let mended: number[];
beforeEach(() => {
  place = memoryPlace();
  blocks = new Blocks(place, 'model/file', 'gpt.safetensors', LENGTH);
  mended = [];
});

const fill = async (): Promise<void> => {
  for (let i = 0; i < blocks.count; i++) await blocks.write(i, block(i));
};
const source = () =>
  blocks.source(async (index) => {
    mended.push(index);
    await blocks.write(index, block(index));
    return block(index);
  });

describe('blocks', () => {
  test('know what is missing', async () => {
    expect([blocks.count, blocks.lengthOf(0), blocks.lengthOf(2)]).toEqual([3, BLOCK_BYTES, 1234]);
    expect(await blocks.missing()).toEqual([0, 1, 2]);
    await blocks.write(1, block(1));
    expect(await blocks.missing()).toEqual([0, 2]);
    expect(await blocks.storedBytes()).toBe(BLOCK_BYTES);
  });

  test('give any range as it was written', async () => {
    await fill();
    const file = source();
    const range = fc.tuple(fc.nat(LENGTH), fc.nat(BLOCK_BYTES + 9));
    await fc.assert(
      fc.asyncProperty(range, async ([offset, length]) => {
        const end = Math.min(LENGTH, offset + length);
        const bytes = await file.read(offset, end - offset);
        expect(Buffer.compare(bytes, CONTENT.subarray(offset, end))).toBe(0);
      }),
      { numRuns: 30 },
    );
    await expect(file.read(LENGTH - 1, 2)).rejects.toThrow(/gpt.safetensors: cannot read 2 bytes/);
    expect(mended).toEqual([]);
  });

  test.each([
    ['a byte is another', (bytes: Bytes) => bytes.map((byte, i) => (i === 77 ? byte ^ 1 : byte))],
    ['its digest is another', (bytes: Bytes) => bytes.fill(0, -SEAL_BYTES)],
    ['it was cut', (bytes: Bytes) => bytes.slice(0, 5000)],
    ['it is empty', () => new Uint8Array(0)],
    ['nothing is left but a digest', (bytes: Bytes) => bytes.slice(-SEAL_BYTES)],
  ])('are mended where %s', async (_, damage) => {
    await fill();
    const held = await place.get('model/file/1');
    await place.put('model/file/1', [damage(await held!.read(0, held!.byteLength))]);
    expect(await blocks.read(1)).toBeUndefined();
    const file = source();
    for (const _ of [1, 2]) {
      const bytes = await file.read(BLOCK_BYTES - 10, BLOCK_BYTES);
      expect(Buffer.compare(bytes, CONTENT.subarray(BLOCK_BYTES - 10, 2 * BLOCK_BYTES - 10))).toBe(
        0,
      );
    }
    expect(mended).toEqual([1]);
  });

  test('are mended where they cannot be looked up', async () => {
    await fill();
    const { get } = place;
    place.get = (path) =>
      path.endsWith('/1') ? Promise.reject(new TypeError('Failed to fetch')) : get(path);
    expect(Buffer.compare(await source().read(0, LENGTH), CONTENT)).toBe(0);
    expect(mended).toEqual([1]);
  });

  test('of another length are not those of the file', async () => {
    await fill();
    const longer = new Blocks(place, 'model/file', 'gpt.safetensors', LENGTH + 1);
    expect(await longer.read(2)).toBeUndefined();
    expect(Buffer.compare((await longer.read(0))!, block(0))).toBe(0);
  });

  test('of an empty file are none', async () => {
    const empty = new Blocks(place, 'model/none', 'empty', 0);
    expect(await empty.missing()).toEqual([]);
    expect(await empty.source(async () => block(0)).read(0, 0)).toEqual(new Uint8Array(0));
  });
});

describe('a place without room', () => {
  /** Memory in which so many more files can be put. */
  function small(room: { files: number }): Place {
    const inner = memoryPlace();
    return {
      ...inner,
      kind: 'opfs',
      async put(path, parts) {
        if (room.files-- <= 0) throw new DOMException('full', 'QuotaExceededError');
        await inner.put(path, parts);
      },
    };
  }

  test('goes on in memory with what was written, and leaves nothing behind', async () => {
    const disk = small({ files: 3 });
    await disk.put('other/file/0', [Uint8Array.of(9)]);
    let told = 0;
    place = spillingPlace(disk, 'model', async () => void told++);
    blocks = new Blocks(place, 'model/file', 'gpt.safetensors', LENGTH);
    await fill();
    await putSealed(place, 'model/record', Uint8Array.of(1));
    expect(told).toBe(1);
    expect(Buffer.compare(await source().read(0, LENGTH), CONTENT)).toBe(0);
    expect(mended).toEqual([]);
    expect(await getSealed(place, 'model/record')).toEqual(Uint8Array.of(1));
    expect(await disk.names('')).toEqual(['other']);
    await place.remove('model');
    expect(await blocks.missing()).toEqual([0, 1, 2]);
  });

  test('keeps the model where there is room again, and leaves nothing behind where there is not', async () => {
    const room = { files: 1 };
    const disk = small(room);
    const spilling = spillingPlace(disk, 'model', async () => {});
    place = spilling;
    blocks = new Blocks(place, 'model/file', 'gpt.safetensors', LENGTH);
    await fill();
    for (const [files, names] of [
      [2, []],
      [3, ['model']],
    ] as const) {
      room.files = files;
      await spilling.settle();
      expect(await disk.names('')).toEqual(names);
      expect(spilling.isSpilled).toBe(names.length === 0);
      expect(Buffer.compare(await source().read(0, LENGTH), CONTENT)).toBe(0);
    }
    expect(mended).toEqual([]);
  });

  test('passes on what else goes wrong', async () => {
    const broken: Place = {
      ...memoryPlace(),
      kind: 'opfs',
      put: () => Promise.reject(new DOMException('no', 'SecurityError')),
    };
    place = spillingPlace(broken, 'model', async () => {});
    await expect(place.put('model/a', [])).rejects.toMatchObject({ name: 'SecurityError' });
  });
});
