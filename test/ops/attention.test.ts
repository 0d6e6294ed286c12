/** How attention of a decoding step is called: in one dispatch, or in parts and a merge. */
import { expect, test } from 'vitest';
import { PORTABLE } from '../../kernels/kernel.ts';
import { Graph } from '../../src/graph/graph.ts';
import { gptDecoder } from '../../src/models/gpt.ts';
import { parseGptConfig } from '../../src/models/gpt-config.ts';
import { gptScorer } from '../../src/models/gpt-scorer.ts';
import type { Tile, Tiles } from '../../src/ops/tiles.ts';

const config = parseGptConfig(
  {
    ...{ model_type: 'c2i', dim: 64, n_layer: 2, n_head: 4, multiple_of: 32 },
    ...{ num_classes: 4, vocab_size: 64, block_size: 16 },
  },
  'test',
);

const precision = (tiles: Tiles) =>
  ({ variant: PORTABLE, tiles, dtype: 'f32', kvDtype: 'f32' }) as const satisfies object;

/** Names of the kernels that attend, of a layer of a step with so many sequences. */
function attending(tile: Tile, sequences = 1): string[] {
  const g = new Graph();
  gptDecoder(
    g,
    config,
    { rows: 2 * sequences, slots: 2 * sequences },
    precision({ attention: tile }),
  );
  return g.nodes.map(({ kernel }) => kernel.name).filter((name) => name.includes('attention'));
}

test('is one dispatch a layer where nothing says otherwise', () => {
  expect(attending({})).toEqual(['attention', 'attention']);
});

test.each([1, 8])('is two with a split, whatever the number of sequences: %i', (sequences) => {
  const layer = ['attention_parts', 'merge_attention'];
  expect(attending({ split: 4 }, sequences)).toEqual([...layer, ...layer]);
});

test('is one for the many rows of scoring, whatever the split', () => {
  const g = new Graph();
  gptScorer(g, config, 1, precision({ attention: { split: 4 } }));
  expect(g.nodes.some(({ kernel }) => kernel.name === 'attention')).toBe(true);
  expect(g.nodes.some(({ kernel }) => kernel.name === 'attention_parts')).toBe(false);
});

test('refuses a split that is none', () => {
  expect(() => attending({ split: 0 })).toThrow(/"split" expected an integer from 1 to 64, got 0/);
});
