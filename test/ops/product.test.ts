/** How products that are added to the residual stream are called: in one dispatch, or in parts. */
import { expect, test } from 'vitest';
import { PORTABLE } from '../../kernels/kernel.ts';
import { Graph } from '../../src/graph/graph.ts';
import { gptDecoder } from '../../src/models/gpt.ts';
import { parseGptConfig } from '../../src/models/gpt-config.ts';
import type { Tile } from '../../src/ops/tiles.ts';

const config = parseGptConfig(
  {
    ...{ model_type: 'c2i', dim: 64, n_layer: 2, n_head: 4, multiple_of: 32 },
    ...{ num_classes: 4, vocab_size: 64, block_size: 16 },
  },
  'test',
);

/** First words of the labels of products and their sums of a step. */
function products(product: Tile, maxBindingBytes?: number): string[] {
  const g = new Graph();
  const precision = {
    variant: PORTABLE,
    tiles: { product },
    dtype: 'f32',
    kvDtype: 'f32',
  } as const;
  gptDecoder(
    g,
    config,
    { rows: 2, slots: 2 },
    {
      ...precision,
      ...(maxBindingBytes && { maxBindingBytes }),
    },
  );
  return g.nodes.map(({ kernel }) => kernel.name).filter((name) => /^(linear|sum)/.test(name));
}

test('is one dispatch each where nothing says otherwise, the last for the logits', () => {
  expect(products({})).toEqual(['linear', 'linear', 'linear', 'linear', 'linear']);
});

test('is two with a split, but for the logits', () => {
  const pair = ['linear_parts', 'sum_rows'];
  expect(products({ split: 4 })).toEqual([...pair, ...pair, ...pair, ...pair, 'linear']);
});

test('is one sum for all pieces of a weight that is larger than a binding', () => {
  const cut = products({ split: 2 }, 64 * 64 * 2).filter((word) => word !== 'linear');
  const pieces = cut.filter((word) => word === 'linear_parts');
  expect(pieces.length).toBeGreaterThan(4);
  expect(cut.length - pieces.length).toBe(4);
});

test('refuses a split that is none', () => {
  expect(() => products({ split: 17 })).toThrow(/"split" expected an integer from 1 to 16, got 17/);
});
