/** Strided views, against indexing by hand; windows of storages that are larger than one. */
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../../src/errors.ts';
import { PtStorage, PtTensor } from '../../../src/weights/pt/values.ts';
import { viewTensor } from '../../../src/weights/pt/view.ts';
import { memorySource } from '../../../src/weights/source.ts';
import { bytesOf, countingSource } from '../../support/safetensors.ts';

const STORAGE_OFFSET = 10;

/** A view of a storage that holds the numbers from 0 up as I32. */
function view(elements: number, shape: number[], stride: number[], offset = 0) {
  const numbers = Int32Array.from({ length: elements }, (_, i) => i);
  const bytes = new Uint8Array(STORAGE_OFFSET + numbers.byteLength);
  bytes.set(bytesOf(numbers), STORAGE_OFFSET);
  const source = countingSource('file', bytes);
  const tensor = new PtTensor(new PtStorage('I32', '0', elements), shape, stride, offset);
  const range = { offset: STORAGE_OFFSET, byteLength: numbers.byteLength };
  return { source, tensor: viewTensor(source, 'w', tensor, range) };
}

const CASES: readonly { what: string; shape: number[]; stride: number[]; offset?: number }[] = [
  { what: 'row-major', shape: [3, 4], stride: [4, 1] },
  { what: 'with an offset', shape: [3, 4], stride: [4, 1], offset: 7 },
  { what: 'transposed', shape: [4, 6], stride: [1, 4] },
  { what: 'permuted', shape: [4, 2, 3], stride: [1, 12, 4] },
  { what: 'every third', shape: [7], stride: [3] },
  { what: 'a column', shape: [6, 1], stride: [4, 1], offset: 2 },
  { what: 'the first columns', shape: [5, 2], stride: [4, 1] },
  { what: 'expanded', shape: [3, 4], stride: [0, 1] },
  { what: 'one element, repeated', shape: [2, 3], stride: [0, 0], offset: 5 },
  { what: 'a scalar', shape: [], stride: [], offset: 23 },
  { what: 'empty', shape: [0, 5], stride: [5, 1] },
  { what: 'overlapping rows', shape: [5, 4], stride: [2, 1] },
  { what: 'sliding rows', shape: [5, 4], stride: [1, 1], offset: 1 },
];

describe.each(CASES)('$what', ({ shape, stride, offset = 0 }) => {
  const expected: number[] = [];
  const fill = (axis: number, at: number): void => {
    if (axis === shape.length) expected.push(at);
    else for (let i = 0; i < shape[axis]!; i++) fill(axis + 1, at + i * stride[axis]!);
  };
  fill(0, offset);

  test('any range of elements', async () => {
    const { tensor } = view(24, shape, stride, offset);
    expect(tensor.length).toBe(expected.length);
    for (let start = 0; start <= expected.length; start++) {
      for (let count = 0; start + count <= expected.length; count++) {
        const bytes = await tensor.read(start, count);
        expect([...new Int32Array(bytes.buffer)]).toEqual(expected.slice(start, start + count));
      }
    }
  });
});

test('a contiguous range is one read of just its bytes', async () => {
  const { source, tensor } = view(24, [4, 6], [6, 1]);
  await tensor.read(5, 7);
  expect(source.reads).toEqual([[STORAGE_OFFSET + 20, 28]]);
});

test('a view over more than a window is read window by window', async () => {
  const side = 4096;
  const { source, tensor } = view(side * side, [side, side], [1, side]);
  const bytes = await tensor.read(3 * side, side + 1);
  const expected = Int32Array.from({ length: side + 1 }, (_, i) => (i === side ? 4 : i * side + 3));
  expect(new Int32Array(bytes.buffer)).toEqual(expected);
  expect(source.reads.length).toBe(2);
  for (const [, length] of source.reads) expect(length).toBeLessThanOrEqual(2 ** 25);
});

test('a range beyond the tensor is refused by name', async () => {
  const { tensor } = view(24, [4, 6], [6, 1]);
  await expect(tensor.read(20, 5)).rejects.toThrow(WeightsError);
  await expect(tensor.read(20, 5)).rejects.toThrow('file: tensor "w": cannot read 5');
});

describe('a tensor of another type than its storage', () => {
  const values = Float32Array.from({ length: 6 }, (_, i) => i / 3);
  const make = (elements: number, offset: number) => {
    const source = memorySource('file', bytesOf(values));
    const storage = new PtStorage('U8', '0', 24);
    const tensor = new PtTensor(storage, [elements], [1], offset, 'F32');
    return viewTensor(source, 'w', tensor, { offset: 0, byteLength: 24 });
  };

  test('counts elements of its own', async () => {
    const tensor = make(4, 2);
    expect([tensor.dtype, tensor.length]).toEqual(['F32', 4]);
    expect(await tensor.read(1, 3)).toEqual(bytesOf(values.slice(3)));
    expect(() => make(5, 2)).toThrow('ends at element 6, but its storage "0" has 6');
  });

  test('packed elements are counted, and not read', async () => {
    const source = memorySource('file', bytesOf(values));
    const packed = (elements: number) =>
      viewTensor(
        source,
        'w',
        new PtTensor(new PtStorage('QUINT4x2', '0', 24), [elements], [1], 0),
        {
          offset: 0,
          byteLength: 24,
        },
      );
    await expect(packed(48).read(0, 1)).rejects.toThrow(
      'elements of QUINT4x2, of which a byte holds 2',
    );
    expect(() => packed(49)).toThrow(WeightsError);
  });
});
