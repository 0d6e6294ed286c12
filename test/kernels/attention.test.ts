import { describe, expect, test } from 'vitest';
import { attention } from '../../kernels/attention/attention.ts';
import { NO_ROW } from '../../kernels/lib/row-table.ts';
import * as oracle from '../oracle/attention.ts';
import { expectClose } from '../oracle/compare.ts';
import { kvIndex } from '../oracle/rope.ts';
import { attentionData } from '../support/attention-data.ts';
import { testDevice } from '../support/device.ts';
import { rowsAt } from '../support/places.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS } from '../support/variants.ts';

const device = await testDevice();

/** Scores are f32 sums; an error of 1e-6 in a score is one of 1e-6 in its weight. */
const TOLERANCE = { nmse: 1e-11, max: 2e-5 };

describe.each([...deviceVariants(device, VARIANTS)])('$reduce', (variant) => {
  const params = { nHead: 2, nKvHead: 1, headDim: 8, slots: 2, positions: 70, variant } as const;

  test('a zero query attends to all columns up to its own alike', async () => {
    const sizes = { ...params, rows: 1 };
    const inputs = { ...attentionData(sizes), q: new Float32Array(16), rowTable: rowsAt([1, 68]) };
    const { out } = await runKernel(device, attention(sizes), inputs);
    const mean = Array.from({ length: 16 }, (_, d) => {
      const values = Array.from(
        { length: 69 },
        (_, j) => inputs.kv[kvIndex(params, [1, 1, 0, j]) + (d % 8)]!,
      );
      return values.reduce((a, b) => a + b) / 69;
    });
    expectClose('attention', out!, mean, TOLERANCE);
  });

  test('the highest of scores far apart takes all, whichever column has it', async () => {
    const sizes = { ...params, rows: 70, nHead: 1 };
    const kv = normal(2 * 2 * 70 * 8, 5);
    // Keys of one length: each has the highest product with itself.
    for (let at = 0; at < kv.length / 2; at += 8) {
      const key = kv.subarray(at, at + 8);
      const length = Math.hypot(...key);
      key.forEach((v, d) => {
        key[d] = v / length;
      });
    }
    const q = kv.slice(0, 70 * 8).map((v) => v * 1e5);
    const rowTable = rowsAt(Array.from({ length: 70 }, () => [0, 69]).flat());
    const { out } = await runKernel(device, attention(sizes), { q, kv, rowTable });
    const values = kvIndex(sizes, [1, 0, 0, 0]);
    expectClose('attention', out!, kv.subarray(values, values + 70 * 8), {
      nmse: 1e-13,
      max: 1e-6,
    });
  });

  test('the highest of scores near the least float takes all', async () => {
    const sizes = { ...params, rows: 2 };
    const inputs = attentionData(sizes);
    const kv = inputs.kv.map((v, i) => (i < inputs.kv.length / 2 ? -Math.abs(v) : v));
    const all = { kv, q: new Float32Array(2 * 16).fill(2e37), rowTable: rowsAt([0, 69, 1, 3]) };
    const { out } = await runKernel(device, attention(sizes), all);
    expectClose('attention', out!, oracle.attention(sizes, all), TOLERANCE);
  });

  test('padding rows, which are hidden from all others, attend to themselves', async () => {
    const sizes = { ...params, rows: 3, padded: true } as const;
    const firsts = Uint32Array.of(3, 0);
    // Rows 0 .. 2 of slot 0 are padding: each sees itself alone.
    const inputs = { ...attentionData(sizes), firsts, rowTable: rowsAt([0, 0, 0, 1, 0, 2]) };
    const { out } = await runKernel(device, attention(sizes), inputs);
    const own = [0, 1, 2].flatMap((j) => {
      const at = kvIndex(params, [1, 0, 0, j]);
      const value = [...inputs.kv.subarray(at, at + 8)];
      return [...value, ...value];
    });
    expectClose('attention', out!, own, { nmse: 1e-13, max: 1e-6 });
  });

  test('padding is not read by other rows, not even NaN', async () => {
    const sizes = { ...params, rows: 3, padded: true } as const;
    const rowTable = rowsAt([0, 12, 0, 40, 1, 12]);
    const inputs = { ...attentionData(sizes), firsts: Uint32Array.of(12, 5), rowTable };
    const poisoned = inputs.kv.slice();
    for (let row = 0; row < poisoned.length / 8; row++) {
      const first = Math.floor(row / 70) % 2 === 0 ? 12 : 5;
      if (row % 70 < first) poisoned.fill(Number.NaN, row * 8, row * 8 + 8);
    }
    const clean = await runKernel(device, attention(sizes), inputs);
    const dirty = await runKernel(device, attention(sizes), { ...inputs, kv: poisoned });
    expect(dirty.out).toEqual(clean.out);
  });

  test('columns past the position are not read, not even NaN', async () => {
    const sizes = { ...params, rows: 2 };
    const inputs = { ...attentionData(sizes), rowTable: rowsAt([0, 12, 1, 12]) };
    const poisoned = inputs.kv.slice();
    for (let row = 0; row < poisoned.length / 8; row++) {
      if (row % 70 > 12) poisoned.fill(Number.NaN, row * 8, row * 8 + 8);
    }
    const clean = await runKernel(device, attention(sizes), inputs);
    const dirty = await runKernel(device, attention(sizes), { ...inputs, kv: poisoned });
    expect(dirty.out).toEqual(clean.out);
  });

  test('idle rows, and others past the end of the cache, are dropped', async () => {
    const sizes = { ...params, rows: 3 };
    const rowTable = rowsAt([0, 70, NO_ROW, NO_ROW, 1, 12]);
    const inputs = { ...attentionData(sizes), rowTable };
    const { out } = await runKernel(device, attention(sizes), inputs);
    const expected = oracle.attention(sizes, inputs);
    expectClose('attention', out!.subarray(32), expected.subarray(32), TOLERANCE);
    expect([...out!.subarray(0, 32)]).toEqual(Array(32).fill(Number.NaN));
  });
});
