/** Attention in parts of the cached positions, and their merge. */
import { describe, expect, test } from 'vitest';
import {
  type AttentionPartsParams,
  attentionParts,
} from '../../kernels/attention/attention-parts.ts';
import { cutPositions } from '../../kernels/attention/attention-tile.ts';
import { mergeAttention } from '../../kernels/attention/merge-attention.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import * as oracle from '../oracle/attention.ts';
import { attentionParts as partsOracle } from '../oracle/attention-parts.ts';
import { expectClose } from '../oracle/compare.ts';
import { attentionParts as partsRecord } from '../records/attention/attention-parts.ts';
import { casesOf } from '../records/cases.ts';
import { titleOf } from '../records/words.ts';
import { type AttentionData, attentionData } from '../support/attention-data.ts';
import { testDevice } from '../support/device.ts';
import { rowsAt } from '../support/places.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, F32_VARIANTS } from '../support/variants.ts';

const device = await testDevice();

/** As of attention in one dispatch. */
const TOLERANCE = { nmse: 1e-11, max: 2e-5 };

const anyParts = (params: AttentionPartsParams): Kernel =>
  attentionParts({ ...params, masked: params.masked as true });

/** Parts as the kernel makes them, NaN where it writes nothing, and their merge. */
async function run(params: AttentionPartsParams, inputs: AttentionData, times = 1) {
  const { out: sums, peaks } = await runKernel(device, anyParts(params), inputs, times);
  const given = { sums: sums!, peaks: peaks!, rowTable: inputs.rowTable };
  const { rows, nHead, headDim, positions, split } = params;
  const merge = mergeAttention({ rows, nHead, headDim, positions, split });
  const { out } = await runKernel(device, merge, given, times);
  return { ...given, out: out! };
}

/** Those values of which `expected` has one; the others must not have been written. */
function written(got: ArrayLike<number>, expected: Float64Array): number[] {
  const values = Array.from(got);
  expect(values.findIndex((v, i) => Number.isNaN(expected[i]!) && !Number.isNaN(v))).toBe(-1);
  return values.filter((_, i) => !Number.isNaN(expected[i]!));
}

const finite = (values: Float64Array): Float64Array => values.filter((v) => !Number.isNaN(v));

/** Parts alone are compared for every variant: test/records/attention/attention-parts.ts. */
describe('parts and their merge are the attention', () => {
  const all = casesOf(partsRecord, device) as AttentionPartsParams[];
  for (const params of all.filter(({ variant }) => variant?.reduce === 'serial')) {
    test(titleOf('attention_parts', params), async () => {
      const inputs = attentionData(params);
      const { out } = await run(params, inputs);
      expectClose('merged', out, oracle.attention(params, inputs), TOLERANCE);
    });
  }
});

describe.each([...deviceVariants(device, F32_VARIANTS)])('$reduce', (variant) => {
  const params = {
    ...{ rows: 6, nHead: 2, nKvHead: 1, headDim: 8, slots: 2, positions: 70, split: 4, variant },
  } as const;
  /** Parts of 18 columns: at their borders, and at both ends. */
  const place = [0, 0, 0, 17, 1, 18, 0, 35, 1, 54, 1, 69];

  test('rows at the borders of parts, where the rest of the cache is NaN', async () => {
    const inputs = { ...attentionData(params), rowTable: rowsAt(place) };
    const expected = oracle.attention(params, inputs);
    for (let row = 0; row < 6; row++) {
      const position = place[2 * row + 1]!;
      const kv = inputs.kv.slice();
      for (let at = 0; at < kv.length / 8; at++) {
        if (at % 70 > position) kv.fill(Number.NaN, at * 8, at * 8 + 8);
      }
      const one = { ...params, rows: 1 };
      const q = inputs.q.subarray(row * 16, row * 16 + 16);
      const own = { q, kv, rowTable: inputs.rowTable.subarray(4 * row, 4 * row + 4) };
      const { out } = await run(one, own);
      expectClose(`row ${row}`, out, expected.subarray(row * 16, row * 16 + 16), TOLERANCE);
    }
  });

  test('is the same twice', async () => {
    const inputs = { ...attentionData(params), rowTable: rowsAt(place) };
    expect((await run(params, inputs, 2)).out).toEqual((await run(params, inputs)).out);
  });

  test('scores far apart neither overflow nor give NaN', async () => {
    const inputs = {
      ...attentionData(params),
      q: normal(6 * 16, 4, 1e4),
      rowTable: rowsAt(place),
    };
    const { out } = await run(params, inputs);
    expectClose('attention', out, oracle.attention(params, inputs), TOLERANCE);
  });

  test('parts in which everything is masked weigh nothing', async () => {
    const masked = { ...params, masked: true } as const;
    // Slot 0 has columns in its second part alone, slot 1 none at all.
    const mask = Uint32Array.from({ length: 140 }, (_, i) => +(i >= 20 && i < 30));
    const inputs = { ...attentionData(masked), mask, rowTable: rowsAt(place) };
    const { out, peaks } = await run(masked, inputs);
    expectClose('attention', out, oracle.attention(masked, inputs), TOLERANCE);
    const weights = Array.from(peaks).filter((_, i) => i % 2 === 1);
    const expected = partsOracle(masked, inputs).peaks.filter((_, i) => i % 2 === 1);
    expectClose('weights', written(weights, expected), finite(expected), TOLERANCE);
    expect(finite(expected).filter((weight) => weight === 0).length).toBeGreaterThan(4);
  });

  test('rows past the end of the cache are dropped', async () => {
    const inputs = {
      ...attentionData({ ...params, rows: 2 }),
      rowTable: rowsAt([0, 70, 1, 12]),
    };
    const { sums, out } = await run({ ...params, rows: 2 }, inputs);
    expect([...sums.subarray(0, 64), ...out.subarray(0, 16)].every(Number.isNaN)).toBe(true);
    const expected = oracle.attention({ ...params, rows: 2 }, inputs);
    expectClose('attention', out.subarray(16), expected.subarray(16), TOLERANCE);
  });
});

test.each([
  [130, 4, { parts: 4, columns: 33 }],
  [9, 64, { parts: 9, columns: 1 }],
  [65, 7, { parts: 7, columns: 10 }],
  [10, 4, { parts: 4, columns: 3 }],
  [9, 4, { parts: 3, columns: 3 }],
  [257, 1, { parts: 1, columns: 257 }],
])('%i positions in %i parts at most', (positions, split, expected) => {
  expect(cutPositions(positions, split)).toEqual(expected);
});
