/** What an operation says of tiles is what its kernels take, and what it is told is what it makes. */

import { describe, expect, test } from 'vitest';
import { MATRIX_FEATURE, PORTABLE, type Variant } from '../../kernels/kernel.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { Graph } from '../../src/graph/graph.ts';
import { gptDecoder } from '../../src/models/gpt.ts';
import { parseGptConfig } from '../../src/models/gpt-config.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { vqOptions } from '../../src/models/vq-options.ts';
import type { Called, OpSettings } from '../../src/ops/operation.ts';
import { familyOf, type Tiles } from '../../src/ops/tiles.ts';

const gpt = parseGptConfig({
  ...{ model_type: 'c2i', dim: 64, n_layer: 1, n_head: 4, multiple_of: 32 },
  ...{ num_classes: 4, vocab_size: 64, block_size: 1024 },
});

function define(g: Graph, settings: OpSettings): void {
  const precision = { ...settings, dtype: 'f32', kvDtype: 'f32' } as const;
  gptDecoder(g, gpt, { rows: 2, slots: 2 }, precision);
  vqDecoder(g, VQ_16, { images: 1, height: 4, width: 4 }, vqOptions(settings));
}

/** The first operation of each key. */
function operations(variant: Variant, tiles?: Tiles): Called[] {
  const called: Called[] = [];
  define(new Graph(), { variant, tiles, called });
  const keys = called.map(({ key }) => key);
  return called.filter(({ key }, i) => keys.indexOf(key) === i);
}

const made = (call: Called, tile: object): Graph => {
  const g = new Graph();
  call.again(g, tile, (t) => t);
  return g;
};

const matrix = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 });
const variants: readonly { readonly title: string; readonly variant: Variant }[] = [
  { title: 'serial', variant: { reduce: 'serial', f16: false } },
  { title: 'serial with subgroups', variant: { reduce: 'serial', f16: false, lanes: 4 } },
  { title: 'workgroup', variant: PORTABLE },
  { title: 'subgroups and halves', variant: { reduce: 'subgroup', f16: true, lanes: 32 } },
  { title: 'matrices', variant: { reduce: 'subgroup', f16: true, lanes: 32, matrix } },
];

describe.each(variants)('$title', ({ variant }) => {
  const calls = operations(variant);

  test('the models have operations of every family', () => {
    const families = new Set(calls.map(({ key }) => familyOf(key)));
    expect([...families].sort()).toEqual(['attention', 'conv', 'map', 'product']);
  });

  test('tiles that are offered and fit can be made', () => {
    for (const call of calls) {
      const offered = call.tiles();
      const fitting = offered.filter((tile) => call.problem(tile) === undefined);
      if (offered.length > 0) expect(fitting.length, call.key).toBeGreaterThan(0);
      for (const tile of fitting) {
        const { nodes } = made(call, tile);
        expect(nodes.length, `${call.key} ${JSON.stringify(tile)}`).toBeGreaterThan(0);
      }
    }
  });

  // Workgroup memory, powers of two, parts: one of each for every family.
  test.each([
    ['product', { parts: 3 }],
    ['product', { columns: 5 }],
    ['product', { units: 1024 }],
    ['product', { parts: 256, columns: 8, span: 1 }],
    ['attention', { keys: 3 }],
    ['attention', { span: 1, keys: 4, size: 256 }],
    ['attention', { size: 3 }],
    ['attention', { size: 4, span: 8 }],
    ['attention', { size: 512 }],
  ] as const)('%s: a tile has a problem where a kernel refuses it: %o', (family, tile) => {
    for (const call of calls.filter(({ key }) => familyOf(key) === family)) {
      const problem = call.problem(tile);
      if (problem === undefined) made(call, tile);
      else expect(() => made(call, tile), call.key).toThrow(problem);
    }
  });

  test('a split of products that are not added to the stream changes nothing', () => {
    const qkv = calls.find(({ key }) => key === 'product f32[192,64]');
    const text = (tile: object) => made(qkv!, tile).nodes.map(({ kernel }) => kernel.code);
    expect(text({ split: 2 })).toEqual(text({}));
  });
});

test('what the device lacks is a problem', () => {
  const [conv] = operations(PORTABLE).filter(({ key }) => familyOf(key) === 'conv');
  expect(conv!.problem({ method: 'gemm', math: 'f16' })).toMatch(/shader-f16/);
  expect(conv!.problem({ method: 'gemm', math: 'matrix' })).toContain(MATRIX_FEATURE);
});

describe('a table of tiles', () => {
  /** Invocations in a workgroup of each kernel of attention. */
  const sizesIn = ({ nodes }: Graph): (string | undefined)[] =>
    nodes
      .filter(({ kernel }) => kernel.name === 'attention')
      .map(({ kernel }) => /@workgroup_size\((\d+)\)/.exec(kernel.code)?.[1]);
  const sizes = (tiles: Tiles) => {
    const g = new Graph();
    define(g, { variant: PORTABLE, tiles });
    return new Set(sizesIn(g));
  };
  const KEY = 'attention f32[4/4,16,1025]';

  test('says how an operation of one shape is made', () => {
    expect(sizes({})).not.toContain('32');
    expect(sizes({ [KEY]: { size: 32 } })).toContain('32');
    expect(sizes({ 'attention f32[4/4,16,1024]': { size: 32 } })).not.toContain('32');
  });

  test('is not as strong as what is forced for a whole family', () => {
    expect([...sizes({ [KEY]: { size: 32 }, attention: { size: 64 } })]).toEqual(['64']);
    const [forced] = operations(PORTABLE, { attention: { size: 64 } }).filter(
      ({ key }) => key === KEY,
    );
    expect(sizesIn(made(forced!, { size: 32 }))).toEqual(['64']);
  });
});
