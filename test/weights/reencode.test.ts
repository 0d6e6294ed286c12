/** Conversion of element types, against plain rounding. */
import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import type { CheckpointTensor } from '../../src/weights/checkpoint.ts';
import { formatOf, type Losses, type TargetDType } from '../../src/weights/formats.ts';
import { encodedTensor, reencode } from '../../src/weights/reencode.ts';
import { DTYPE_BYTES, type FileDType } from '../../src/weights/safetensors.ts';
import { tensorBytes } from '../../src/weights/safetensors-writer.ts';
import { toHalfBits } from '../support/f16.ts';
import { bytesOf, toBf16 } from '../support/safetensors.ts';

interface Result {
  readonly dtype: FileDType;
  readonly bytes: Uint8Array;
  readonly losses: Losses;
  /** [start, count] of every read, in elements. */
  readonly reads: readonly (readonly [number, number])[];
}

async function convert(
  to: TargetDType,
  dtype: FileDType,
  data: Uint8Array,
  shape?: readonly number[],
): Promise<Result> {
  const size = DTYPE_BYTES[dtype];
  const length = data.length / size;
  const reads: [number, number][] = [];
  const tensor: CheckpointTensor = {
    ...{ name: 'w', dtype, shape: shape ?? [length], length },
    async read(start, count) {
      reads.push([start, count]);
      return Uint8Array.from(data.subarray(start * size, (start + count) * size));
    },
  };
  const losses: Losses = { flushed: 0, overflowed: 0 };
  const [output, ...more] = reencode('file', tensor, formatOf(to), losses);
  expect(more).toEqual([]);
  const bytes = new Uint8Array(tensorBytes(output!));
  let at = 0;
  for await (const chunk of output!.chunks()) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  expect(at).toBe(bytes.length);
  return { dtype: output!.dtype, bytes, losses, reads };
}

const VALUES = Float32Array.of(0, -0, 1, -1.5, 0.1, 65504, 6e-5, 5.9e-8, 3.1e-8, 1 / 3, -1e-3);

describe('f32', () => {
  test('as f16, rounded to nearest even', async () => {
    const { dtype, bytes, losses } = await convert('f16', 'F32', bytesOf(VALUES));
    expect(dtype).toBe('F16');
    expect([...new Uint16Array(bytes.slice().buffer)]).toEqual([...VALUES].map(toHalfBits));
    expect(losses.flushed).toBe(0);
  });

  test('as bf16, rounded to nearest even', async () => {
    // Bits just below, at and just above the middle of two bf16 values, with even and odd ends.
    const bits = Uint32Array.of(0x3f807fff, 0x3f808000, 0x3f808001, 0x3f818000, 0xbf818000);
    const { bytes } = await convert('bf16', 'F32', bytesOf(bits));
    expect([...new Uint16Array(bytes.slice().buffer)]).toEqual([
      0x3f80, 0x3f80, 0x3f81, 0x3f82, 0xbf82,
    ]);
  });

  test('as f32, byte for byte', async () => {
    const { bytes } = await convert('f32', 'F32', bytesOf(VALUES));
    expect(bytes).toEqual(bytesOf(VALUES));
  });
});

test.each<[TargetDType, FileDType]>([
  ['f16', 'F16'],
  ['bf16', 'BF16'],
])('%s stays as it is', async (to, dtype) => {
  const data = Uint16Array.from({ length: 1000 }, (_, i) => i * 29);
  const { bytes, losses } = await convert(to, dtype, bytesOf(data));
  expect(bytes).toEqual(bytesOf(data));
  expect(losses.flushed).toBe(0);
});

test('bf16 and f64 widen and narrow by value', async () => {
  const exact = Float32Array.of(1, -2.5, 0.15625);
  const widened = await convert('f32', 'BF16', bytesOf(toBf16(exact)));
  expect(widened.bytes).toEqual(bytesOf(exact));
  const narrowed = await convert('f32', 'F64', bytesOf(Float64Array.from(exact)));
  expect(narrowed.bytes).toEqual(bytesOf(exact));
});

test('a large tensor is read in pieces of whole rows, each once', async () => {
  const data = Float32Array.from({ length: 1500 * 1001 }, (_, i) => i);
  const { bytes, reads } = await convert('bf16', 'F32', bytesOf(data), [1500, 1001]);
  expect(reads).toEqual([
    [0, 1047 * 1001],
    [1047 * 1001, 453 * 1001],
  ]);
  expect(bytes.length).toBe(data.byteLength / 2);
  const single = await convert('bf16', 'F32', bytesOf(data.subarray(1047 * 1001)));
  expect(bytes.slice(2 * 1047 * 1001)).toEqual(single.bytes);
});

test('values that become zero are counted', async () => {
  const small = Float32Array.of(1e-8, -1e-8, 0, 1e-40);
  expect((await convert('f16', 'F32', bytesOf(small))).losses.flushed).toBe(3);
  const least = Float32Array.of(2 ** -149, 0, 1);
  expect((await convert('bf16', 'F32', bytesOf(least))).losses.flushed).toBe(1);
});

describe('refused', () => {
  test.each<[string, TargetDType, FileDType, ArrayBufferView, string]>([
    [
      'values beyond f16',
      'f16',
      'F32',
      Float32Array.of(1, 65520, -1e9),
      '"w" has 2 of 3 values beyond 65504, the largest F16',
    ],
    [
      'values beyond bf16',
      'bf16',
      'F32',
      Float32Array.of(3.4e38),
      '1 of 1 values beyond 3.3895314e+38, the largest BF16',
    ],
    ['values beyond f32', 'f32', 'F64', Float64Array.of(1, 1e300), 'got Infinity at 1'],
    ['NaN', 'bf16', 'F32', Float32Array.of(0, 0, Number.NaN), 'got NaN at 2'],
    ['infinity in a type that stays', 'bf16', 'BF16', Uint16Array.of(0x7f80), 'got Infinity at 0'],
    ['whole numbers', 'f32', 'I64', new BigInt64Array(1), 'tensor "w" is I64'],
  ])('%s', async (_, to, dtype, data, message) => {
    await expect(convert(to, dtype, bytesOf(data))).rejects.toThrow(WeightsError);
    await expect(convert(to, dtype, bytesOf(data))).rejects.toThrow(message);
  });
});

describe('a tensor that is encoded where it is read', () => {
  const tensorOf = (data: Float32Array): CheckpointTensor => ({
    ...{ name: 'w', dtype: 'F32', shape: [data.length], length: data.length },
    read: async (start, count) => Uint8Array.from(bytesOf(data.slice(start, start + count))),
  });

  test.each(['f32', 'f16', 'bf16'] as const)(
    'gives the elements of %s in any pieces',
    async (to) => {
      const { dtype, bytes } = await convert(to, 'F32', bytesOf(VALUES));
      const tensor = encodedTensor('file', tensorOf(VALUES), to);
      expect(tensor).toMatchObject({ name: 'w', dtype, shape: [VALUES.length] });
      for (const [start, count] of [
        [0, VALUES.length],
        [3, 1],
        [5, 4],
        [VALUES.length, 0],
      ] as const) {
        const size = tensor.elementBytes;
        const expected = bytes.subarray(start * size, (start + count) * size);
        expect(await tensor.read(start, count)).toEqual(new Uint8Array(expected));
      }
    },
  );

  test('refuses what is not finite, too large or no float', async () => {
    const wrong = tensorOf(Float32Array.of(1, 1e6, Number.NaN));
    const tensor = encodedTensor('a.pt', wrong, 'f16');
    await expect(tensor.read(0, 1)).resolves.toHaveLength(2);
    await expect(tensor.read(1, 1)).rejects.toThrow(
      /a.pt: tensor "w" has 1 of 1 values beyond 65504/,
    );
    await expect(tensor.read(2, 1)).rejects.toThrow(/expected finite values, got NaN at 2/);
    expect(() => encodedTensor('a.pt', { ...wrong, dtype: 'I64' }, 'f16')).toThrow(
      /a.pt: tensor "w" is I64: expected F32, F16, BF16 or F64 weights/,
    );
  });
});
