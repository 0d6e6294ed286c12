import { describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { assertFinite, decodeF32, isWeightDType, packF16 } from '../../src/weights/convert.ts';
import * as oracle from '../support/f16.ts';
import { normal, uniform } from '../support/random.ts';
import { bytesOf, toBf16 } from '../support/safetensors.ts';

const origin = { file: 'gpt.safetensors', tensor: 'norm.weight' };
const copy = (array: ArrayBufferView): Uint8Array<ArrayBuffer> => bytesOf(array).slice();
const bitsOf = (floats: Float32Array): Uint32Array =>
  new Uint32Array(floats.buffer, floats.byteOffset, floats.length);
const floatOfBits = (bits: Uint32Array): Float32Array => new Float32Array(bits.buffer);
const packFloats = (values: ArrayLike<number>): number[] =>
  unpack(packF16(origin, 'F32', copy(Float32Array.from(values))), values.length);
const unpack = (words: Uint32Array, length: number): number[] => [
  ...new Uint16Array(words.buffer).subarray(0, length),
];

describe('decodeF32', () => {
  test('every half', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const got = decodeF32('F16', copy(halves));
    for (let half = 0; half < 65536; half++) {
      const expected = oracle.fromHalfBits(half);
      expect(Object.is(got[half], expected), `half ${half}: ${got[half]}`).toBe(true);
    }
  });

  test('every bfloat16 is the top half of its float', () => {
    const stored = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const bits = bitsOf(decodeF32('BF16', copy(stored)));
    expect(bits.every((b, i) => b === i * 65536)).toBe(true);
  });

  test('floats come out as they are, from any address', () => {
    const values = normal(5, 1);
    const shifted = new Uint8Array(21);
    shifted.set(bytesOf(values), 1);
    expect(decodeF32('F32', shifted.subarray(1))).toEqual(values);
    expect(decodeF32('F16', shifted.subarray(1, 3)).length).toBe(1);
  });
});

describe('packF16', () => {
  test('halves are copied bit for bit, first in the low half', () => {
    const stored = Uint16Array.from([0x3c00, 0x8000, 0x0001]);
    expect([...packF16(origin, 'F16', copy(stored))]).toEqual([0x80003c00, 0x00000001]);
  });

  test('every finite half survives the way through f32', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(
      (h) => (h & 0x7c00) !== 0x7c00,
    );
    const words = packF16(origin, 'F32', copy(decodeF32('F16', copy(halves))));
    expect(new Uint16Array(words.buffer)).toEqual(halves);
  });

  test('values midway between two halves go to the even one, others to the nearest', () => {
    const even: number[] = [];
    const near: number[] = [];
    const wanted: number[] = [];
    for (let half = 0; half < 0x7bff; half++) {
      const [low, high] = [oracle.fromHalfBits(half), oracle.fromHalfBits(half + 1)];
      const midway = (low + high) / 2;
      even.push(midway, -midway);
      const bits = bitsOf(Float32Array.of(midway));
      near.push(...floatOfBits(Uint32Array.of(bits[0]! - 1, bits[0]! + 1)));
      wanted.push(half, half + 1);
    }
    expect(packFloats(near)).toEqual(wanted);
    const up = (half: number): number => half + (half & 1);
    expect(packFloats(even)).toEqual(even.map((_, i) => up(i >> 1) | (i & 1 ? 0x8000 : 0)));
  });

  test('agrees with the plain oracle over all magnitudes, from f32 and bf16', () => {
    const next = uniform(7);
    const values = Float32Array.from(
      { length: 20000 },
      () => (next() - 0.5) * 2 ** (next() * 46 - 30),
    ).filter((v) => Math.abs(v) < 65504);
    expect(packF16(origin, 'F32', copy(values))).toEqual(oracle.packF16(values));
    const stored = toBf16(values);
    const words = packF16(origin, 'BF16', copy(stored));
    expect(words).toEqual(oracle.packF16(decodeF32('BF16', copy(stored))));
  });

  test('an odd tail is padded with zero', () => {
    expect([...packF16(origin, 'F32', copy(Float32Array.of(1, 2, -1)))]).toEqual([
      0x40003c00, 0x0000bc00,
    ]);
    expect([...packF16(origin, 'BF16', copy(toBf16([-1])))]).toEqual([0x0000bc00]);
  });

  test('the largest values that still round to a finite half are kept', () => {
    expect(packFloats([65504, -65504, 65519.99])).toEqual([0x7bff, 0xfbff, 0x7bff]);
  });

  test.each([
    ['F32' as const, copy(Float32Array.of(1, 65520, -1e30, 3))],
    ['BF16' as const, copy(toBf16([1, 65536, -1e30, 3]))],
  ])('values too large for a half are counted and refused: %s', (dtype, bytes) => {
    const pack = (): unknown => packF16(origin, dtype, bytes);
    expect(pack).toThrow(WeightsError);
    expect(pack).toThrow(
      'gpt.safetensors: tensor "norm.weight" has 2 of 4 values beyond 65504, the largest f16',
    );
  });

  test('NaN and infinities stay what they are', () => {
    const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
    expect(packFloats([nan, infinity, -infinity])).toEqual([0x7e00, 0x7c00, 0xfc00]);
  });
});

describe('assertFinite', () => {
  test.each([
    ['F32' as const, Float32Array.of(0, -0, 3.4e38, 1e-45), (v: number) => Float32Array.of(v)],
    ['F16' as const, Uint16Array.of(0, 0x8000, 0x7bff, 1), (v: number) => half(v)],
    ['BF16' as const, Uint16Array.of(0, 0x8000, 0x7f7f, 1), (v: number) => toBf16([v])],
  ])('%s', (dtype, finite, store) => {
    assertFinite(origin, dtype, copy(finite));
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const bytes = Uint8Array.from([...bytesOf(finite), ...bytesOf(store(value))]);
      const check = (): void => assertFinite(origin, dtype, bytes);
      expect(check).toThrow(WeightsError);
      expect(check).toThrow(
        `gpt.safetensors: tensor "norm.weight" expected finite values, got ${value} at 4`,
      );
    }
  });

  const half = (value: number): Uint16Array => Uint16Array.of(oracle.toHalfBits(value));
});

test('only f32, f16 and bf16 are weights', () => {
  expect((['F32', 'F16', 'BF16'] as const).every(isWeightDType)).toBe(true);
  expect((['F64', 'I32', 'U8', 'BOOL', 'F8_E5M2'] as const).some(isWeightDType)).toBe(false);
});

describe('the check of values', () => {
  const refuses = (dtype: 'F32' | 'F16' | 'BF16', bytes: Uint8Array<ArrayBuffer>): boolean => {
    try {
      assertFinite(origin, dtype, bytes);
      return false;
    } catch {
      return true;
    }
  };

  test.each([
    ['F16', 0x7c00],
    ['BF16', 0x7f80],
  ] as const)('sees every %s, in either half of a word and alone', (dtype, exponent) => {
    for (let half = 0; half < 65536; half++) {
      const bad = (half & exponent) === exponent;
      for (const values of [[half, 0x8001], [0xfbff & ~0x0400, half], [half], [1, 2, half]]) {
        if (refuses(dtype, copy(Uint16Array.from(values))) === bad) continue;
        throw new Error(`${dtype} ${half.toString(16)} among ${values}: expected bad: ${bad}`);
      }
    }
  });

  test('sees floats of every exponent and sign, from any address', () => {
    for (let top = 0; top < 512; top++) {
      const bytes = new Uint8Array(4 * 5 + 1);
      new DataView(bytes.buffer).setUint32(9, (top << 23) | 1, true);
      expect(refuses('F32', bytes.subarray(1))).toBe((top & 0xff) === 0xff);
    }
  });

  test('names the index in the whole tensor of a piece that begins later', () => {
    const bytes = copy(Float32Array.of(1, Number.NaN));
    expect(() => assertFinite(origin, 'F32', bytes, 1000)).toThrow(/got NaN at 1001$/);
  });
});
