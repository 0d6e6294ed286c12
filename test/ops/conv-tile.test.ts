/** By which kernels convolutions are made, and how these divide their work. */

import { describe, expect, test } from 'vitest';
import { PORTABLE, type Variant } from '../../kernels/kernel.ts';
import type { MapTile } from '../../kernels/product/map-tile.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import {
  type ConvLayer,
  type ConvTile,
  convProblem,
  convTile,
  convTiles,
} from '../../src/ops/conv-tile.ts';

const SERIAL: Variant = { ...PORTABLE, reduce: 'serial' };

describe('the choice', () => {
  const layer = { images: 1, inChannels: 512, outChannels: 512, height: 16, width: 16 } as const;
  const tileOf = (params: Partial<ConvLayer>) =>
    convTile({ ...layer, kernelSize: 3, variant: PORTABLE, ...params });

  test('Winograd without barriers, products with them', () => {
    expect(tileOf({ variant: SERIAL }).method).toBe('winograd');
    expect(tileOf({ variant: SERIAL, stride: 2 }).method).toBe('direct');
    expect(tileOf({ variant: SERIAL, outChannels: 3 }).method).toBe('direct');
    expect(tileOf({ variant: PORTABLE }).method).toBe('gemm');
  });
  test('a method of its own where all channels fit one invocation', () => {
    expect(tileOf({ outChannels: 4 }).method).toBe('few');
    expect(tileOf({ outChannels: 5 }).method).toBe('gemm');
    expect(tileOf({ outChannels: 3, upsample: true }).method).toBe('gemm');
    expect(tileOf({ outChannels: 3, stride: 2 }).method).toBe('gemm');
    expect(tileOf({ outChannels: 3, kernelSize: 1 }).method).toBe('gemm');
  });
  test('a layer of few pixels is made in parts, one of many is not', () => {
    expect(tileOf({}).split).toBe(4);
    expect(tileOf({ height: 256, width: 256 }).split).toBe(1);
  });
  test('does not depend on the number of images', () => {
    expect(tileOf({ images: 8 })).toEqual(tileOf({ images: 1 }));
  });
});

describe('halves and matrices', () => {
  const all: Variant = { reduce: 'subgroup', f16: true, lanes: 32, halves: true };
  const matrix = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 });
  const withMatrix: Variant = { ...all, matrix };
  const layer = {
    ...{ images: 1, inChannels: 64, outChannels: 64, height: 64, width: 64 },
    kernelSize: 3,
  } as const;

  test('halves are made of maps of whole blocks of channels, where there are matrices for them', () => {
    const methodOf = (variant: Variant, other: Partial<ConvLayer> = {}) =>
      convTile({ ...layer, ...other, variant }).method;
    expect(methodOf(withMatrix)).toBe('halves');
    expect(methodOf(withMatrix, { inChannels: 48 })).toBe('gemm');
    expect(methodOf(withMatrix, { stride: 2 })).toBe('gemm');
    expect(methodOf(withMatrix, { outChannels: 3 })).toBe('few');
    expect(methodOf({ ...withMatrix, halves: false })).toBe('gemm');
    expect(methodOf(all)).toBe('gemm');
    const f32 = matrixConfig({ m: 8, n: 8, k: 8, operand: 'f32', lanes: 32 });
    expect(methodOf({ ...all, matrix: f32 })).toBe('gemm');
    expect(methodOf(withMatrix, { tile: { method: 'gemm' } })).toBe('gemm');
  });

  test('tiles of halves are large where there are many', () => {
    const tileOf = (side: number, inChannels = 64) =>
      convTile({
        ...{ ...layer, inChannels, outChannels: 128, height: side, width: side },
        variant: withMatrix,
      });
    expect(tileOf(128)).toMatchObject({ tileM: 128, tileN: 128, split: 1 });
    expect(tileOf(64)).toMatchObject({ tileM: 64, tileN: 64, split: 1 });
    expect(tileOf(16, 512).split).toBeGreaterThan(1);
  });

  test('what is worth measuring is what the device has', () => {
    const maths = (tiles: readonly Partial<MapTile>[]): string =>
      [...new Set(tiles.map(({ math }) => math))].join(' ').trim();
    expect(maths(convTiles(withMatrix))).toBe('f32 f16 matrix');
    expect(maths(convTiles({ ...withMatrix, halves: false }))).toBe('f32');
  });

  test('math alone brings sizes that suit it', () => {
    const asked = { method: 'gemm', math: 'matrix', tileN: 128 } as const;
    const tile = convTile({ ...layer, variant: withMatrix, tile: asked });
    expect(tile).toMatchObject({ tileM: 64, tileN: 128, eachM: 32, eachN: 32, method: 'gemm' });
  });
});

describe('a tile', () => {
  const layer = {
    ...{ images: 1, inChannels: 4, outChannels: 9, height: 4, width: 4 },
    kernelSize: 3,
    variant: PORTABLE,
  } as const;
  const made = (tile: object) => () => convTile({ ...layer, tile: tile as Partial<ConvTile> });

  test.each([
    [{ splits: 2 }, /^conv: "tile" expected some of method, split, tileM, .*, got \{"splits":2\}$/],
    [{ split: 2.5 }, /^conv: "split" expected a positive integer, got 2\.5$/],
    [{ split: -1 }, /^conv: "split" .* -1$/],
    [{ method: 'fft' }, /^conv: "method" expected one of direct, gemm, .*, got fft$/],
  ])('%o is refused', (tile, message) => {
    expect(made(tile)).toThrow(RangeError);
    expect(made(tile)).toThrow(message);
  });

  test.each([
    [{ method: 'few' }, 'method few is gemm for this layer'],
    [{ method: 'direct', split: 2 }, 'split 2 is 1 for this layer'],
    [{ method: 'gemm', split: 5 }, 'split 5 is 3 for this layer'],
  ] as const)('%o that a layer cannot be made with is a problem', (tile, problem) => {
    expect(convProblem({ ...layer, tile })).toBe(problem);
  });
});
