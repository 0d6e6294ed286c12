/** What the tuner runs for a tile of attention: the calls that it changes, whole or in parts. */
import { expect, test } from 'vitest';
import { PORTABLE } from '../../kernels/kernel.ts';
import { parseGptConfig } from '../../src/models/gpt-config.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';
import { candidatesOf, type Part } from '../../src/tune/candidates.ts';
import { FAMILIES } from '../../src/tune/families.ts';
import { askedTiles } from '../../src/tune/keys.ts';
import { outputsOf } from '../../src/tune/trial.ts';
import { workloadsOf } from '../../src/tune/workloads.ts';

const gpt = parseGptConfig(
  {
    ...{ model_type: 'c2i', dim: 64, n_layer: 2, n_head: 4, multiple_of: 32 },
    ...{ num_classes: 4, vocab_size: 64, block_size: 16 },
  },
  'test',
);
const precision = { variant: PORTABLE, dtype: 'f32', kvDtype: 'f32' } as const;
const workloads = workloadsOf({ gpt, vq: VQ_16 }, precision, [2, 16]);
const KEY = 'attention f32[4/4,16,17]';

const names = ({ nodes, selected }: Part): string[] =>
  nodes.filter((n) => selected.has(n)).map(({ kernel }) => kernel.name);

test('one key for all numbers of rows', () => {
  const [two, sixteen, image] = workloads.map(({ define }) =>
    askedTiles(define, PORTABLE).filter((key) => key.startsWith('attention')),
  );
  expect([two, sixteen, image]).toEqual([[KEY], [KEY], []]);
});

test('a split is measured with its merge, and judged by what the merge makes', () => {
  const tiles = FAMILIES.attention?.(PORTABLE) ?? [];
  const candidates = candidatesOf(workloads, PORTABLE, KEY, tiles);
  const [own] = candidates;
  expect([...own!.parts.keys()]).toEqual([0, 1]);
  expect(names(own!.parts.get(0)!)).toEqual(['attention', 'attention']);
  const split = candidates.filter(({ tile }) => tile.split === 4);
  expect(split.length).toBeGreaterThan(3);
  for (const part of split.flatMap(({ parts }) => [...parts.values()])) {
    const layer = ['attention_parts', 'merge_attention'];
    expect(names(part)).toEqual([...layer, ...layer]);
    // Those of the merges alone: [rows, nHead * headDim].
    const outputs = outputsOf({ ...part, standIn: part.ownOf });
    expect(outputs.map(({ shape }) => shape.length)).toEqual([2, 2]);
  }
});

test('a product in parts is measured with their sum, beside the products that stay whole', () => {
  const key = 'product f32[64,64]';
  const candidates = candidatesOf(workloads, PORTABLE, key, FAMILIES.product?.(PORTABLE) ?? []);
  const split = candidates.filter(({ tile }) => tile.split !== undefined);
  expect(split.map(({ tile }) => tile)).toEqual([{ split: 2 }, { split: 4 }]);
  const pair = ['linear_parts', 'sum_rows'];
  for (const part of split.flatMap(({ parts }) => [...parts.values()])) {
    expect(names(part)).toEqual([...pair, ...pair, 'linear']);
  }
});

test('tiles that hardware and software adapters take are among those measured', () => {
  const serial = { reduce: 'serial', f16: false } as const;
  for (const variant of [PORTABLE, serial]) {
    const tiles = FAMILIES.attention?.(variant) ?? [];
    // None is refused, and none but the own choice is left out.
    const made = candidatesOf(workloads, variant, KEY, tiles);
    expect(made.map(({ tile }) => tile.split)).toContain(4);
    expect(made.length).toBeGreaterThan(tiles.length / 2);
  }
});
