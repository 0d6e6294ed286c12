/** In which form convolutions want their filters. */

import { describe, expect, test } from 'vitest';
import type { Variant } from '../../kernels/kernel.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { Graph } from '../../src/graph/graph.ts';
import { describe as described } from '../../src/graph/tensor.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { conv, loadsHalves } from '../../src/ops/conv.ts';
import type { Called } from '../../src/ops/operation.ts';
import type { Tiles } from '../../src/ops/tiles.ts';

const matrix = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 });
const variant: Variant = { reduce: 'subgroup', f16: true, lanes: 32, matrix, halves: true };
const layer = { images: 1, inChannels: 128, outChannels: 128, kernelSize: 3, variant } as const;

describe('with matrices', () => {
  const decoder = (side: number, tiles: Tiles = {}, called: Called[] = []): Graph => {
    const g = new Graph();
    const shape = { images: 1, height: side, width: side };
    vqDecoder(g, VQ_16, shape, { variant, tiles, called, dtype: 'f32' });
    return g;
  };
  const forms = (g: Graph): readonly string[] =>
    g.residents.flatMap((t) => (t.life === 'weight' ? `${t.name} ${described(t)}` : []));

  test('filters are loaded as halves, the same for every grid and table', () => {
    const gemm = { method: 'gemm', split: 4, tileM: 32, math: 'f32' };
    const tiles = { 'conv 3x3 1[128,128,147456]': gemm, 'conv 3x3 1[512,512,576]': gemm };
    const small = forms(decoder(1));
    expect(small).toContain('decoder.mid.0.conv1.weight f16[512,9,512]');
    expect(small).toContain('decoder.conv_out.weight f32[3,128,3,3]');
    const large = decoder(24, tiles);
    expect(forms(large)).toEqual(small);
    const names = new Set(large.nodes.map(({ kernel }) => kernel.name));
    expect(names).not.toContain('halves_of_filter');
    expect(names).not.toContain('conv2d_parts');
  });

  test('what is forced decides for all of them', () => {
    expect(forms(decoder(1, { conv: { method: 'gemm' } })).join()).not.toContain('f16');
  });

  test('other methods are not measured', () => {
    const called: Called[] = [];
    decoder(24, {}, called);
    const filters = called.find(({ key }) => key === 'conv 3x3 1[128,128,147456]');
    expect(filters?.problem({ method: 'gemm' })).toMatch(/"?method"? gemm is halves/);
    expect(filters?.problem({ split: 2 })).toBeUndefined();
  });
});

test('without matrices filters stay as they are stored', () => {
  const { matrix: _, ...none } = variant;
  const params = { ...layer, height: 8, width: 8, variant: none };
  expect(loadsHalves(params)).toBe(false);
  expect(conv.problem(params, { method: 'halves', math: 'f32' })).toBeUndefined();
  expect(loadsHalves({ ...params, variant: { ...variant, reduce: 'serial' } })).toBe(false);
});
