import { describe, expect, test } from 'vitest';
import { type RopeCacheParams, ropeCache } from '../../kernels/attention/rope-cache.ts';
import * as oracle from '../oracle/rope.ts';
import { testDevice } from '../support/device.ts';
import { roundF16 } from '../support/f16.ts';
import { anyRope, rowsAt, scatteredRows } from '../support/places.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';

const device = await testDevice();

function data(params: RopeCacheParams, seed = 1) {
  const { rows, nHead, nKvHead, headDim, slots, positions } = params;
  const kv = normal(2 * slots * nKvHead * positions * headDim, seed + 1);
  return {
    qkv: normal(rows * (nHead + 2 * nKvHead) * headDim, seed),
    rope: anyRope(positions, headDim),
    rowTable: scatteredRows(rows, slots, positions),
    kv: params.kvDtype === 'f16' ? roundF16(kv) : kv,
  };
}

describe('the cache', () => {
  const params = { nHead: 2, nKvHead: 1, headDim: 8, slots: 3, positions: 6 } as const;

  test.each(['f32', 'f16'] as const)(
    'changes only at the places of the rows (%s)',
    async (kvDtype) => {
      const inputs = { ...data({ ...params, rows: 2, kvDtype }), rowTable: rowsAt([2, 3, 0, 5]) };
      const { kv } = await runKernel(device, ropeCache({ ...params, rows: 2, kvDtype }), inputs);
      const changed = new Set(
        [...kv!.keys()].filter((i) => kv![i] !== inputs.kv[i]).map((i) => i - (i % 8)),
      );
      const written = [0, 1].flatMap((part) => [
        oracle.kvIndex(params, [part, 2, 0, 3]),
        oracle.kvIndex(params, [part, 0, 0, 5]),
      ]);
      expect([...changed].sort((a, b) => a - b)).toEqual(written.sort((a, b) => a - b));
    },
  );

  test('is left alone by rows that stand past its end', async () => {
    const inputs = {
      ...data({ ...params, rows: 3 }),
      rowTable: rowsAt([0, 6, 1, 2, 2, 0xffffffff]),
    };
    const { q, kv } = await runKernel(device, ropeCache({ ...params, rows: 3 }), inputs);
    const own = { ...inputs, qkv: inputs.qkv.slice(32, 64), rowTable: rowsAt([1, 2]) };
    const alone = await runKernel(device, ropeCache({ ...params, rows: 1 }), own);
    expect(kv).toEqual(alone.kv);
    expect(q!.subarray(16, 32)).toEqual(alone.q);
  });

  test('gets zero keys and whole values from condition tokens', async () => {
    const inputs = { ...data({ ...params, rows: 1 }), rowTable: rowsAt([1, 0]) };
    const { q, kv } = await runKernel(device, ropeCache({ ...params, rows: 1 }), inputs);
    const key = oracle.kvIndex(params, [0, 1, 0, 0]);
    const value = oracle.kvIndex(params, [1, 1, 0, 0]);
    expect([...q!].every((v) => v === 0)).toBe(true);
    expect([...kv!.subarray(key, key + 8)].every((v) => v === 0)).toBe(true);
    expect(kv!.subarray(value, value + 8)).toEqual(inputs.qkv.subarray(24, 32));
  });
});
