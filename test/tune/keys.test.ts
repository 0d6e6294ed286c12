/** Which tiles a graph asks for, and which of its calls belong together under two tiles. */
import { describe, expect, test } from 'vitest';
import { type ConvTile, conv2d } from '../../kernels/conv/conv2d.ts';
import { type Kernel, PORTABLE, type Variant } from '../../kernels/kernel.ts';
import type { Graph, Node } from '../../src/graph/graph.ts';
import { convKey, familyOf, type Tiles, tileOf } from '../../src/ops/tiles.ts';
import { candidatesOf } from '../../src/tune/candidates.ts';
import { align, askedTiles, nodesOf } from '../../src/tune/keys.ts';
import { outputsOf } from '../../src/tune/trial.ts';

/** A kernel that is only a name. */
const named = (code: string) =>
  ({
    name: code,
    params: {},
    label: code,
    code,
    bindings: {
      x: { role: 'in', dtype: 'f32', shape: [4] },
      out: { role: 'out', dtype: 'f32', shape: [4] },
    },
    workgroups: [1, 1, 1],
  }) as const satisfies Kernel;

/** a, then the tuned one in one call or two, then b; twice. */
function define(g: Graph, _: Variant, tiles: Tiles): void {
  let x = g.state('x', 'f32', [4]);
  for (let layer = 0; layer < 2; layer++) {
    x = g.call(named('a'), { x }).out;
    const { split } = tileOf<{ split: boolean }>(tiles, 'fake [4]');
    if (split) x = g.call(named('part'), { x }).out;
    x = g.call(named(split ? 'sum' : 'whole'), { x }).out;
    x = g.call(named('b'), { x }).out;
  }
}

test('keys are those that kernels look up, without forced families', () => {
  expect(askedTiles(define, PORTABLE)).toEqual(['fake [4]']);
  expect(familyOf('fake [4]')).toBe('fake');
  // The recorder hides nothing that is there.
  const seen: (boolean | undefined)[] = [];
  const spy = (_: Graph, __: Variant, tiles: Tiles): void => {
    seen.push(tileOf<{ split: boolean }>(tiles, 'fake [4]').split);
  };
  askedTiles(spy, PORTABLE, { 'fake [4]': { split: true } });
  expect(seen).toEqual([true]);
});

/** One convolution. */
function layer(g: Graph, variant: Variant, tiles: Tiles): void {
  const map = { images: 1, inChannels: 32, outChannels: 32, height: 64, width: 64 } as const;
  const sizes = { ...map, kernelSize: 3, variant } as const;
  const x = g.state('x', 'f32', [1, 32, 64, 64]);
  const weight = g.state('weight', 'f32', [32, 32, 3, 3]);
  const bias = g.state('bias', 'f32', [32]);
  const tile = tileOf<ConvTile>(tiles, convKey(sizes));
  g.call(conv2d({ ...sizes, tile, residual: false }), { x, weight, bias });
}

test('a convolution has one key whatever it is multiplied with, and takes what the device has', () => {
  const matrix = { m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 } as const;
  const variant: Variant = { reduce: 'subgroup', f16: true, lanes: 32, matrix };
  const [key = ''] = askedTiles(layer, variant);
  expect(askedTiles(layer, variant)).toEqual([key]);
  const featuresWith = (math: string) =>
    nodesOf(layer, variant, { [key]: { math } })[0]?.kernel.features;
  expect(featuresWith('f32')).toEqual([]);
  expect(featuresWith('f16')).toEqual(['shader-f16']);
  expect(featuresWith('matrix')).toContain('chromium-experimental-subgroup-matrix');
});

test('candidates are the ways to multiply that the device has', () => {
  const variant: Variant = { reduce: 'subgroup', f16: true, lanes: 32 };
  const [key = ''] = askedTiles(layer, variant);
  const tiles = (['f32', 'f16', 'matrix'] as const).map((math) => ({ math }));
  const found = candidatesOf([{ define: layer }], variant, key, tiles);
  expect(found.map(({ tile }) => tile)).toEqual([{}, { math: 'f16' }]);
});

describe('two graphs', () => {
  const own = nodesOf(define, PORTABLE);
  const other = nodesOf(define, PORTABLE, { 'fake [4]': { split: true } });
  const labels = (nodes: readonly Node[]): string =>
    nodes.map(({ kernel }) => kernel.code).join(' ');

  test('are what they should be', () => {
    expect(labels(own)).toBe('a whole b a whole b');
    expect(labels(other)).toBe('a part sum b a part sum b');
  });

  test('go together around what differs', () => {
    const { same, counterpart } = align(own, other);
    expect(same).toEqual([
      [0, 0],
      [2, 3],
      [3, 4],
      [5, 7],
    ]);
    expect(counterpart.get(other[2]!.tensors.out!)).toBe(own[1]!.tensors.out);
    expect(counterpart.has(other[1]!.tensors.out!)).toBe(false);
  });

  test('that are the same go together whole', () => {
    expect(align(own, nodesOf(define, PORTABLE)).same).toHaveLength(own.length);
  });

  test('that end differently end together', () => {
    expect(align(own.slice(0, 2), other.slice(0, 3)).same).toEqual([[0, 0]]);
  });

  test('outputs of calls are what others read', () => {
    const selected = new Set([other[1]!, other[2]!]);
    const standIn = (t: Node['tensors'][string]) => t;
    expect(outputsOf({ nodes: other, selected, standIn })).toEqual([other[2]!.tensors.out]);
    const last = { nodes: other.slice(0, 3), selected, standIn };
    expect(outputsOf(last)).toEqual([other[2]!.tensors.out]);
  });
});
