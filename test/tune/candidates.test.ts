/** What the tuner runs for a tile: the operations of a key, in as many calls as the tile says. */

import { describe, expect, test } from 'vitest';
import { PORTABLE, type Variant } from '../../kernels/kernel.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { Graph } from '../../src/graph/graph.ts';
import { parseGptConfig } from '../../src/models/gpt-config.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';
import type { Called } from '../../src/ops/operation.ts';
import type { Tile } from '../../src/ops/tiles.ts';
import { callsByKey, candidatesOf } from '../../src/tune/candidates.ts';
import { workloadsOf } from '../../src/tune/workloads.ts';

const gpt = parseGptConfig(
  {
    ...{ model_type: 'c2i', dim: 64, n_layer: 2, n_head: 4, multiple_of: 32 },
    ...{ num_classes: 4, vocab_size: 64, block_size: 16 },
  },
  'test',
);
const workloads = (variant: Variant) =>
  workloadsOf({ gpt, vq: VQ_16 }, { variant, dtype: 'f32', kvDtype: 'f32' }, [2, 16]);
const ATTENTION = 'attention f32[4/4,16,17]';

/** Operations of a key by workload, and the tiles that they offer. */
function asked(key: string, variant: Variant = PORTABLE) {
  const calls = callsByKey(workloads(variant)).get(key)!;
  const [first] = [...calls.values()].flat();
  return { calls, tiles: first!.tiles() as Tile[] };
}

const namesOf = (calls: readonly Called[], tile: Tile): string[] => {
  const g = new Graph();
  for (const call of calls) call.again(g, tile, (t) => t);
  return g.nodes.map(({ kernel }) => kernel.name);
};

test('one key for all numbers of rows, with the operations of each layer', () => {
  const { calls } = asked(ATTENTION);
  expect([...calls].map(([{ name }, called]) => [name, called.length])).toEqual([
    ['2 rows', 2],
    ['16 rows', 2],
  ]);
});

test('an operation is made again in another graph, of other tensors', () => {
  const { calls } = asked(ATTENTION);
  const g = new Graph();
  const [call] = [...calls.values()].flat();
  const read: string[] = [];
  const out = call!.again(g, { keys: 2 }, (t) => {
    read.push(t.name);
    return { ...t, name: 'stand-in', life: 'state' };
  });
  expect(read).toHaveLength(3);
  const [{ kernel, tensors }] = g.nodes as [(typeof g.nodes)[number]];
  expect(kernel.params).toMatchObject({ tile: { keys: 2 } });
  const { q, kv, rowTable } = tensors;
  expect([q, kv, rowTable].map((t) => t!.name)).toEqual(Array(3).fill('stand-in'));
  // What it makes and what it returns is its own.
  expect(tensors.out).toEqual(out);
});

test('a product in parts is measured with their sum, beside the products that stay whole', () => {
  const { calls, tiles } = asked('product f32[64,64]');
  const split = candidatesOf(calls, tiles).filter((tile) => tile.split !== undefined);
  expect(split).toEqual([{ split: 2 }, { split: 4 }]);
  const pair = ['linear_parts', 'sum_rows'];
  for (const tile of split) {
    for (const called of calls.values()) {
      expect(namesOf(called, tile)).toEqual([...pair, ...pair, 'linear']);
    }
  }
});

test('tiles that hardware and software adapters take are among those measured', () => {
  for (const variant of [PORTABLE, { reduce: 'serial', f16: false } as const]) {
    const { calls, tiles } = asked(ATTENTION, variant);
    // None is refused, and none but the own choice is left out.
    expect(candidatesOf(calls, tiles).length).toBeGreaterThan(tiles.length / 2);
  }
});

describe('a convolution', () => {
  const KEY = 'conv 3x3 1[512,512,16]';
  const f16: Variant = { reduce: 'subgroup', f16: true, lanes: 32 };
  const maths = (['f32', 'f16', 'matrix'] as const).map((math) => ({ math }));

  test('is multiplied with what the device has, under one key', () => {
    const { calls } = asked(KEY, f16);
    expect(candidatesOf(calls, maths)).toEqual([{}, { math: 'f16' }]);
    const matrix = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 });
    const all = asked(KEY, { ...f16, matrix }).calls;
    expect(candidatesOf(all, maths)).toEqual([{}, { math: 'f16' }, { math: 'matrix' }]);
  });

  test('takes its norm along, in the form that the method reads', () => {
    const called = [...asked(KEY, f16).calls.values()].flat().slice(0, 2);
    const first = (method: string) => namesOf(called, { method }).slice(0, 4);
    expect(first('winograd')).toContain('winograd_filter');
    expect(namesOf(called, { method: 'winograd' })).toContain('group_norm');
    expect(namesOf(called, {})).toContain('group_affine');
  });
});
