import { describe, expect, test } from 'vitest';
import { gptConfig, gptWeightShapes } from '../../src/models/gpt-config.ts';
import {
  keepsPrecision,
  quantDTypeOf,
  quantisedEntries,
  storageOf,
} from '../../src/weights/quantize.ts';
import { quantisedParts, quantizeRows } from '../../src/weights/quantize-rows.ts';
import { dequantizeRows } from '../support/dequantize.ts';
import { fromHalfBits } from '../support/f16.ts';
import { normal } from '../support/random.ts';

const SIZES = { int8: { group: 64, perWord: 4 }, int4: { group: 32, perWord: 8 } } as const;

describe.each(['int8', 'int4'] as const)('%s', (dtype) => {
  const { group, perWord } = SIZES[dtype];

  test.each([
    [1, 1],
    [3, 5],
    [2, 64],
    [4, 70],
    [3, 131],
  ])('%d rows of %d come back within half a step of their group', (rows, inDim) => {
    const values = normal(rows * inDim, 7, 0.2);
    const stored = quantizeRows(dtype, values, rows, inDim);
    const groups = Math.ceil(inDim / group);
    expect(stored.quants.length).toBe(rows * Math.ceil(inDim / perWord));
    expect(stored.scales.length).toBe(rows * groups);
    const back = dequantizeRows(dtype, stored, rows, inDim);
    values.forEach((v, i) => {
      const at = Math.floor(i / inDim) * groups + Math.floor((i % inDim) / group);
      const step = Math.abs(fromHalfBits(stored.scales[at]!));
      // int4 has one quant less on the side away from its peak, and a scale is a rounded half.
      const bound = dtype === 'int4' ? 1.01 * step : 0.51 * step;
      expect(Math.abs(v - back[i]!), `value ${i}`).toBeLessThanOrEqual(bound);
    });
  });

  test('multiples of a scale are exact, zero among them, and rounding again changes nothing', () => {
    const quants = dtype === 'int8' ? [-127, 127, 1, 0, -1, 64] : [-8, 7, 1, 0, -1, 3];
    const values = Float32Array.from(quants, (q) => q * 0.25);
    const stored = quantizeRows(dtype, values, 1, 6);
    const back = dequantizeRows(dtype, stored, 1, 6);
    expect([...back]).toEqual([...values]);
    expect(quantizeRows(dtype, back, 1, 6)).toEqual(stored);
  });

  test('a group of zeros has scale 0 and does not disturb the next', () => {
    const values = new Float32Array(group + 2);
    values[group] = 3;
    const stored = quantizeRows(dtype, values, 1, group + 2);
    expect(stored.scales[0]! & 0x7fff).toBe(0);
    const back = dequantizeRows(dtype, stored, 1, group + 2);
    expect(back.subarray(0, group).every((v) => v === 0)).toBe(true);
    expect(back[group]).toBeCloseTo(3, 2);
  });

  test('a scale too large for a half names tensor, row and value', () => {
    const values = Float32Array.of(0, 0, 1e7, 0);
    const origin = { file: 'gpt', tensor: 'output.weight' };
    expect(() => quantizeRows(dtype, values, 2, 2, origin)).toThrow(
      /gpt: tensor "output.weight" has the value 10000000 in row 1, too large for int/,
    );
  });

  test('refuses values that are no matrix of the given sizes', () => {
    expect(() => quantizeRows(dtype, new Float32Array(5), 2, 3)).toThrow(/2 x 3 values, got 5/);
  });

  test('rows do not depend on each other', () => {
    const values = normal(4 * 70, 9);
    const whole = quantizeRows(dtype, values, 4, 70);
    const last = quantizeRows(dtype, values.slice(3 * 70), 1, 70);
    expect([...whole.quants].slice(-last.quants.length)).toEqual([...last.quants]);
    expect([...whole.scales].slice(-last.scales.length)).toEqual([...last.scales]);
  });

  test('is stored as bytes that fill whole words, and is known by their type', () => {
    const [quants, scales] = quantisedEntries(dtype, 'w', [3, 70]);
    const { quants: words } = quantizeRows(dtype, new Float32Array(210), 3, 70);
    expect(quants!.shape[0]! * quants!.shape[1]!).toBe(words.byteLength);
    expect(quantDTypeOf(quants!.dtype)).toBe(dtype);
    expect(scales).toEqual({ name: 'w.scales', dtype: 'F16', shape: [3, Math.ceil(70 / group)] });
  });
});

test.each(['int8', 'int4'] as const)('a converter gets the bytes of %s rows by rows', (dtype) => {
  const values = normal(6 * 70, 4);
  const origin = { file: 'gpt', tensor: 'w' };
  const whole = quantizeRows(dtype, values, 6, 70);
  const parts = quantisedParts(dtype, origin, [6, 70]);
  expect(parts.map(({ name, dtype: as, shape }) => ({ name, dtype: as, shape }))).toEqual(
    quantisedEntries(dtype, 'w', [6, 70]),
  );
  const bytes = parts.map((part) =>
    [0, 1, 4].flatMap((row, i, rows) => [
      ...part.encode(values.slice(row * 70, (rows[i + 1] ?? 6) * 70)),
    ]),
  );
  expect(bytes).toEqual([
    [...new Uint8Array(whole.quants.buffer)],
    [...new Uint8Array(whole.scales.buffer)],
  ]);
});

test('int4 uses all of its quants, whatever the sign of the peak', () => {
  for (const sign of [1, -1]) {
    const values = Float32Array.from({ length: 16 }, (_, i) => sign * (8 - i) * 0.5);
    const back = dequantizeRows('int4', quantizeRows('int4', values, 1, 16), 1, 16);
    // Zero times a negative scale is negative zero.
    expect(Array.from(back, (v) => v + 0)).toEqual(Array.from(values, (v) => v + 0));
  }
});

test('layout of the bytes', () => {
  const int8 = quantizeRows('int8', Float32Array.of(1, -127, 2, 127, 3), 1, 5);
  expect([...new Uint8Array(int8.quants.buffer)]).toEqual([1, 129, 2, 127, 3, 0, 0, 0]);
  const int4 = quantizeRows('int4', Float32Array.of(-8, 7, 0, -1), 1, 4);
  expect([...new Uint8Array(int4.quants.buffer)]).toEqual([0xf0, 0x78, 0, 0]);
});

test('of a decoder only the matrices of products are quantised', () => {
  const names = gptWeightShapes({ ...gptConfig('GPT-B', 16), nLayer: 1 }).map(({ name }) => name);
  const kept = names.filter(keepsPrecision);
  expect(kept).toEqual([
    'cls_embedding.embedding_table.weight',
    'tok_embeddings.weight',
    'layers.0.attention_norm.weight',
    'layers.0.ffn_norm.weight',
    'norm.weight',
  ]);
  expect(storageOf('norm.weight', 'int4', 'f32')).toBe('f32');
  expect(storageOf('layers.0.attention.wo.weight', 'int4', 'f32')).toBe('int4');
  expect(storageOf('output.weight', 'int4', 'f32')).toBe('int8');
});
