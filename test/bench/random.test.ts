/** Random weights that are made on the GPU, and the micro-kernels that read them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Clock } from '../../bench/gpu/clock.ts';
import { type FilledDType, fill } from '../../bench/gpu/fill.ts';
import { scaleSpread, weightSpread } from '../../bench/gpu/inputs.ts';
import { storage } from '../../bench/gpu/launch.ts';
import { randomNetwork } from '../../bench/gpu/random-network.ts';
import { readRows, readValues } from '../../bench/gpu/values.ts';
import { measureStreams } from '../../bench/limits/stream.ts';
import { type StreamShape, streamKernel, streamWays } from '../../bench/limits/stream-kernels.ts';
import { compile } from '../../kernels/compile.ts';
import { byteLength } from '../../kernels/cost.ts';
import { quantGroups } from '../../kernels/lib/accessors.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { gptDecoder } from '../../src/models/gpt.ts';
import { parseGptConfig } from '../../src/models/gpt-config.ts';
import { dequantizeRows } from '../../src/weights/quantize.ts';
import { testDevice } from '../support/device.ts';
import { few } from '../support/few.ts';
import { nullDevice } from '../support/null-device.ts';
import { MATRIX_DTYPES } from '../support/weights.ts';

let memory: Memory;

beforeAll(async () => {
  memory = new Memory(await testDevice());
});

afterAll(() => memory.freeAll());

async function filled(dtype: FilledDType, shape: readonly number[], seed = 3) {
  const buffer = storage(memory, dtype, byteLength({ dtype, shape }));
  await fill(memory, { buffer }, dtype, seed, { centre: 0.5, spread: 0.25 });
  return buffer;
}

const mean = (v: ArrayLike<number>): number => Array.from(v).reduce((a, b) => a + b, 0) / v.length;

describe('random floats', () => {
  const shape = [40, 100];

  test.each(['f32', 'f16', 'bf16'] as const)('%s are uniform about their centre', async (dtype) => {
    const values = await readValues(memory, await filled(dtype, shape), { dtype, shape });
    expect(values.length).toBe(4000);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0.249);
    expect(Math.max(...values)).toBeLessThanOrEqual(0.751);
    expect(mean(values)).toBeCloseTo(0.5, 1);
    expect(mean(values.map((v) => (v - 0.5) ** 2))).toBeCloseTo(0.25 ** 2 / 3, 2);
    expect(new Set(values).size).toBeGreaterThan(dtype === 'bf16' ? 100 : 1000);
  });

  test('are the same for the same seed only', async () => {
    const stored = { dtype: 'f32', shape } as const;
    const read = async (seed: number) =>
      readValues(memory, await filled('f32', shape, seed), stored);
    expect(await read(1)).toEqual(await read(1));
    expect(await read(1)).not.toEqual(await read(2));
  });
});

describe.each(['int8', 'int4'] as const)('random %s', (dtype) => {
  const shape = [6, 200] as const;

  test('have quants of the whole range, read back as they are dequantised', async () => {
    const quants = await filled(dtype, shape);
    const groups = quantGroups(dtype, shape[1]);
    const scales = await filled('f16', [shape[0], groups]);
    const rows = await readRows(memory, quants, { dtype, shape }, [1, 5], scales);
    const words = new Uint32Array(await readBuffer(memory, quants));
    const halves = new Uint16Array(await readBuffer(memory, scales));
    const stored = { quants: words, scales: halves.subarray(0, shape[0] * groups) };
    const all = dequantizeRows(dtype, stored, ...shape);
    expect(Array.from(rows.subarray(0, 200))).toEqual(Array.from(all.subarray(200, 400)));
    expect(Array.from(rows.subarray(200))).toEqual(Array.from(all.subarray(1000, 1200)));
    const bytes = new Int8Array(words.buffer);
    if (dtype === 'int8') expect(Math.min(...bytes)).toBe(-127);
  });
});

test('weights have the size of trained ones', () => {
  const shape = [8, 300];
  expect(weightSpread('norm.weight', { dtype: 'f32', shape: [64] }).centre).toBe(1);
  expect(weightSpread('conv.bias', { dtype: 'f32', shape: [64] }).centre).toBe(0);
  expect(weightSpread('w.weight', { dtype: 'f16', shape }).spread).toBeCloseTo(0.1);
  const scales = weightSpread(
    'w.weight.scales',
    { dtype: 'f16', shape: [8, 5] },
    { dtype: 'int8', shape },
  );
  expect(scales).toEqual(scaleSpread(300, 'int8'));
  expect(scales.centre).toBeCloseTo(1 / Math.sqrt(300) / 73.9);
});

test.each(MATRIX_DTYPES)(
  'a network of %s has every weight of its graph, none of them zero',
  async (dtype) => {
    const config = parseGptConfig({
      ...{ dim: 64, n_layer: 1, n_head: 2, vocab_size: 64, num_classes: 4, block_size: 4 },
    });
    const variant = { reduce: 'serial', f16: false } as const;
    const precision = { variant, dtype, kvDtype: 'f32' } as const;
    const define = (g: Graph): void => void gptDecoder(g, config, { rows: 1, slots: 1 }, precision);
    const { weights } = await randomNetwork(memory, config, precision, define);
    expect(weights.size).toBe((dtype.startsWith('int') ? 6 : 0) + 11);
    for (const { buffer, size } of weights.values()) {
      const words = new Uint32Array(await readBuffer(memory, buffer, size));
      expect(words.filter((word) => word === 0).length).toBeLessThan(words.length / 100 + 1);
    }
  },
);

describe('weight streaming', () => {
  const options = { runs: 1, leastUs: 1, software: true, coldBytes: 1 };

  // Every way is checked against float64 before it is timed.
  test.each(few(2, MATRIX_DTYPES))('by every way agrees with the oracle for %s', async (dtype) => {
    const device = await testDevice();
    const shapes = [1, 2, 16].map((rows): StreamShape => ({ rows, outDim: 44, inDim: 128, dtype }));
    const d = { device, memory, clock: new Clock(memory) };
    const rates = await measureStreams(d, shapes, options);
    const ways = streamWays(2, true, device.features.has('subgroups'));
    expect(rates.map((rate) => rate.others.length + 1)).toEqual([
      ways.length,
      ways.length,
      2 * ways.length,
    ]);
    for (const { gbs } of rates) expect(gbs).toBeGreaterThan(0);
  });

  test('compiles with halves and subgroups, for hardware too', async () => {
    const device = await nullDevice();
    for (const dtype of MATRIX_DTYPES) {
      for (const rows of [2, 16]) {
        for (const subgroups of [false, true]) {
          const reduce = subgroups ? 'subgroup' : 'workgroup';
          for (const way of streamWays(rows, false, subgroups)) {
            const shape = { rows, outDim: 768, inDim: 2048, dtype };
            await compile(device, streamKernel(shape, way, { reduce, f16: true }));
          }
        }
      }
    }
  });
});
