/** Weights of every storage on the device: converted in pieces, cut into parts, made into integers. */

import { afterEach, describe, expect, test } from 'vitest';
import { WeightsError } from '../../src/errors.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { type UploadOptions, uploadWeights } from '../../src/gpu/upload.ts';
import { wantedTensors } from '../../src/gpu/upload-plan.ts';
import { Graph } from '../../src/graph/graph.ts';
import { matrix } from '../../src/ops/weights.ts';
import { matchTensors } from '../../src/weights/join.ts';
import { quantisedEntries } from '../../src/weights/quantize.ts';
import { quantizeRows } from '../../src/weights/quantize-rows.ts';
import { openSafetensors, type Safetensors } from '../../src/weights/safetensors.ts';
import { memorySource } from '../../src/weights/source.ts';
import { dequantizeRows } from '../support/dequantize.ts';
import { testDevice } from '../support/device.ts';
import { packF16 } from '../support/f16.ts';
import { normal } from '../support/random.ts';
import { bytesOf, type StoredTensor, toBf16, writeSafetensors } from '../support/safetensors.ts';
import { cutBf16, MATRIX_DTYPES } from '../support/weights.ts';

const memory = new Memory(await testDevice());
afterEach(() => memory.freeAll());

const [ROWS, IN_DIM] = [22, 70] as const;
const values = normal(ROWS * IN_DIM, 3, 0.2);
const brain = cutBf16(values);

const STORED: Readonly<Record<string, StoredTensor>> = {
  single: { dtype: 'F32', shape: [ROWS, IN_DIM], bytes: bytesOf(values) },
  half: { dtype: 'F16', shape: [ROWS, IN_DIM], bytes: bytesOf(packF16(values)) },
  brain: { dtype: 'BF16', shape: [ROWS, IN_DIM], bytes: bytesOf(toBf16(values)) },
  ...quantisedFile('eight', 'int8'),
  ...quantisedFile('four', 'int4'),
};

/** The two tensors of a quantised matrix as a converter writes them. */
function quantisedFile(name: string, dtype: 'int8' | 'int4'): Record<string, StoredTensor> {
  const { quants, scales } = quantizeRows(dtype, values, ROWS, IN_DIM);
  const [first, second] = quantisedEntries(dtype, name, [ROWS, IN_DIM]);
  return {
    [first!.name]: { ...first!, bytes: bytesOf(quants) },
    [second!.name]: { ...second!, bytes: bytesOf(scales) },
  };
}

const open = (tensors = STORED): Promise<Safetensors> =>
  openSafetensors(memorySource('file', writeSafetensors(tensors)));

/** Loads a matrix, whole or cut to a limit, and gives the words of all its parts. */
async function load(
  name: string,
  dtype: (typeof MATRIX_DTYPES)[number],
  maxBytes?: number,
  options: UploadOptions = {},
): Promise<{ values: number[]; scales: number[] }> {
  const g = new Graph();
  const parts = matrix(g, name, dtype, [ROWS, IN_DIM], maxBytes);
  const loaded = await uploadWeights(memory, await open(), g.residents, options);
  const words = async (tensor: string): Promise<number[]> => {
    const { buffer, offset = 0, size } = loaded.get(tensor)!;
    return [...new Uint32Array(await readBuffer(memory, buffer, size, offset))];
  };
  const all: { values: number[]; scales: number[] } = { values: [], scales: [] };
  for (const part of parts) {
    all.values.push(...(await words(part.values.name)));
    if (part.scales) all.scales.push(...(await words(part.scales.name)));
  }
  return all;
}

describe.each(['single', 'half', 'brain'])('%s', (name) => {
  test.each(MATRIX_DTYPES)('as %s is the same in pieces and in parts', async (dtype) => {
    const whole = await load(name, dtype);
    for (const chunkBytes of [40, 1000]) {
      expect(await load(name, dtype, undefined, { chunkBytes })).toEqual(whole);
      expect(await load(name, dtype, 1200, { chunkBytes })).toEqual(whole);
    }
  });
});

describe('values', () => {
  test('bf16 of a float is rounded to nearest even', async () => {
    const { values: words } = await load('single', 'bf16');
    const got = new Uint16Array(Uint32Array.from(words).buffer);
    values.forEach((v, i) => {
      const back = new Float32Array(Uint32Array.of(got[i]! << 16).buffer)[0]!;
      expect(Math.abs(back - v)).toBeLessThanOrEqual(Math.abs(v) * 2 ** -8);
      const up = new Float32Array(Uint32Array.of((got[i]! + 1) << 16).buffer)[0]!;
      const down = new Float32Array(Uint32Array.of((got[i]! - 1) << 16).buffer)[0]!;
      expect(Math.abs(back - v)).toBeLessThanOrEqual(
        Math.min(Math.abs(up - v), Math.abs(down - v)),
      );
    });
  });

  test('bf16 and f16 files are bytes as they are', async () => {
    const raw = (name: string) => [...new Uint32Array(STORED[name]!.bytes.slice().buffer)];
    expect((await load('brain', 'bf16')).values).toEqual(raw('brain'));
    expect((await load('half', 'f16')).values).toEqual(raw('half'));
  });

  test('bf16 as f32 is exact', async () => {
    const { values: words } = await load('brain', 'f32');
    expect([...new Float32Array(Uint32Array.from(words).buffer)]).toEqual([...brain]);
  });

  test.each([
    ['int8', 'eight'],
    ['int4', 'four'],
  ] as const)('%s from a file is what quantising the floats makes', async (dtype, name) => {
    const stored = await load(name, dtype);
    expect(stored).toEqual(await load('single', dtype));
    expect(await load(name, dtype, 500, { chunkBytes: 40 })).toEqual(stored);
    const rows = {
      quants: Uint32Array.from(stored.values),
      scales: new Uint16Array(Uint32Array.from(stored.scales).buffer),
    };
    const back = dequantizeRows(dtype, rows, ROWS, IN_DIM);
    const error = values.reduce((sum, v, i) => sum + (v - back[i]!) ** 2, 0);
    const power = values.reduce((sum, v) => sum + v * v, 0);
    expect(error / power).toBeLessThan(dtype === 'int8' ? 1e-4 : 2e-2);
  });
});

describe('a file is matched', () => {
  test('whatever the parts and the storage', async () => {
    for (const [name, dtype] of [
      ['single', 'f32'],
      ['single', 'int8'],
      ['eight', 'int8'],
      ['four', 'int4'],
    ] as const) {
      const g = new Graph();
      matrix(g, name, dtype, [ROWS, IN_DIM], 600);
      const others = new Set(Object.keys(STORED));
      for (const { name: own } of wantedTensors(await open(), g.residents)) others.delete(own);
      const ignore = [...others].map((other) => new RegExp(`^${other}$`));
      matchTensors(await open(), wantedTensors(await open(), g.residents), { ignore });
    }
  });

  test('with its scales: without them they are missing', async () => {
    const g = new Graph();
    matrix(g, 'eight', 'int8', [ROWS, IN_DIM]);
    const file = await open({ eight: STORED.eight! });
    expect(() => matchTensors(file, wantedTensors(file, g.residents))).toThrow(
      /1 missing:\n {2}"eight.scales" \[22,2\]/,
    );
  });
});

describe('refused', () => {
  test.each([
    ['eight', 'f32', /"eight" is stored as int8 and cannot be loaded as f32/],
    ['eight', 'int4', /"eight" is stored as int8 and cannot be loaded as int4/],
  ] as const)('%s as %s', async (name, dtype, message) => {
    const loading = load(name, dtype);
    await expect(loading).rejects.toThrow(WeightsError);
    await expect(loading).rejects.toThrow(message);
    expect(memory.use.weights).toBe(0);
  });

  test.each(MATRIX_DTYPES)('NaN in a later piece of a later part, as %s', async (dtype) => {
    const bad = Float32Array.from(values);
    bad[1301] = Number.NEGATIVE_INFINITY;
    const g = new Graph();
    matrix(g, 'single', dtype, [ROWS, IN_DIM], 1200);
    const file = await open({ single: { ...STORED.single!, bytes: bytesOf(bad) } });
    const upload = uploadWeights(memory, file, g.residents, { chunkBytes: 100 });
    await expect(upload).rejects.toThrow(
      'file: tensor "single" expected finite values, got -Infinity at 1301',
    );
  });

  test('scales that are not finite', async () => {
    const bytes = STORED['eight.scales']!.bytes.slice();
    bytes.set([0, 0x7e], 6);
    const file = await open({
      eight: STORED.eight!,
      'eight.scales': { ...STORED['eight.scales']!, bytes },
    });
    const g = new Graph();
    matrix(g, 'eight', 'int8', [ROWS, IN_DIM]);
    await expect(uploadWeights(memory, file, g.residents)).rejects.toThrow(
      'file: tensor "eight.scales" expected finite values, got NaN at 3',
    );
  });

  test('all values too large for f16, counted over all pieces', async () => {
    const large = Float32Array.from(values, (v, i) => (i % 100 === 0 ? 1e6 : v));
    const g = new Graph();
    matrix(g, 'single', 'f16', [ROWS, IN_DIM]);
    const file = await open({ single: { ...STORED.single!, bytes: bytesOf(large) } });
    const upload = uploadWeights(memory, file, g.residents, { chunkBytes: 100 });
    await expect(upload).rejects.toThrow('has 16 of 1540 values beyond 65504, the largest f16');
  });
});

test('values that become zero are counted', async () => {
  const small = Float32Array.from(values, (v, i) => (i % 100 === 0 ? 1e-9 : v));
  const g = new Graph();
  matrix(g, 'single', 'f16', [ROWS, IN_DIM]);
  const file = await open({ single: { ...STORED.single!, bytes: bytesOf(small) } });
  const flushed: [string, number][] = [];
  const onFlushed = (name: string, count: number): unknown => flushed.push([name, count]);
  await uploadWeights(memory, file, g.residents, { chunkBytes: 100, onFlushed });
  expect(flushed).toEqual([['single', 16]]);
});
