/** The text of products from halves and by matrices, as devices with these features get it. */

import { describe, expect, test } from 'vitest';
import { compile } from '../../kernels/compile.ts';
import { conv2d } from '../../kernels/conv/conv2d.ts';
import { spatialScores } from '../../kernels/conv/spatial-scores.ts';
import { MATRIX_FEATURE, type MatrixConfig, type Variant } from '../../kernels/kernel.ts';
import { type MapMath, type MapTile, mapTiles } from '../../kernels/product/map-tile.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { convProblem, convTile } from '../../src/ops/conv-tile.ts';
import { TEXTS } from '../records/texts.ts';
import { nullDevice } from '../support/null-device.ts';

const device = await nullDevice();
/** The null backend has subgroups of up to 128: a workgroup has two of them at most. */
const lanes = device.adapterInfo.subgroupMaxSize ?? 128;

const all: Variant = { reduce: 'subgroup', f16: true, lanes: 32, halves: true };
const matrix: MatrixConfig = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 });
const withMatrix: Variant = { ...all, matrix };

describe('compiles', () => {
  const tile: Partial<MapTile> = {
    math: 'matrix',
    tileM: 32,
    tileN: 64,
    eachM: 32,
    eachN: 32,
    slice: 16,
  };
  const variants = [
    { title: 'halves', variant: all, tile: { math: 'f16' } as const },
    ...[
      matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes }),
      matrixConfig({ m: 8, n: 8, k: 8, operand: 'f16', lanes }),
      matrixConfig({ m: 8, n: 8, k: 8, operand: 'f32', lanes }),
      matrixConfig({ m: 8, n: 16, k: 4, operand: 'f16', lanes }),
    ].map((config) => ({
      title: `matrices ${config.m}x${config.n}x${config.k} ${config.operand}`,
      variant: { ...all, matrix: config },
      tile,
    })),
  ];
  const products = TEXTS.filter(({ record: { name } }) =>
    /^(conv2d|spatial_|winograd_product)/.test(name),
  );
  test.each(variants.flatMap((v) => products.map((p) => ({ ...v, text: p, name: p.title }))))(
    '$name: $title',
    async ({ text: { record, params }, variant, tile }) => {
      device.pushErrorScope('validation');
      const made = record.kernel({ ...params, variant, tile });
      await compile(device, made);
      expect(await device.popErrorScope()).toBeNull();
      const isMatrix = tile.math === 'matrix';
      expect(made.features?.includes(MATRIX_FEATURE)).toBe(isMatrix);
      const isHalf = !isMatrix || variant.matrix?.operand !== 'f32';
      expect(made.features?.includes('shader-f16')).toBe(isHalf);
    },
  );
});

describe('a device that lacks what is asked', () => {
  const sizes = { images: 1, height: 4, width: 4 } as const;
  const conv = { ...sizes, inChannels: 4, outChannels: 8, kernelSize: 3 } as const;
  test.each<[string, Variant, RegExp]>([
    ['f16', { ...all, f16: false }, /math "f16" needs the device feature "shader-f16"/],
    ['matrix', all, /math "matrix" needs .*"chromium-experimental-subgroup-matrix".*sums in f32/],
    ['matrix', { ...withMatrix, f16: false }, /math "matrix" needs .*"shader-f16"/],
    ['f8', withMatrix, /math "f8" expected one of f32, f16, matrix/],
  ])('refuses %s', (math, device, message) => {
    const tile = { math: math as MapMath };
    const params = { ...conv, variant: device, tile };
    expect(() => conv2d(params)).toThrow(message);
    expect(() => conv2d(params)).toThrow(RangeError);
    expect(convProblem(params)).toMatch(message);
    expect(() => spatialScores({ ...sizes, channels: 4, variant: device, tile })).toThrow(message);
  });

  test.each([
    [{ eachM: 24 }, /tile .* of 16x16x16 matrices .* whole matrices/],
    [{ slice: 24 }, /whole matrices/],
    [{ tileN: 256, eachN: 32 }, /512 invocations/],
    [{ slice: 64 }, /22528 bytes/],
  ])('refuses the tile %o', (tile, message) => {
    const params = { ...conv, variant: withMatrix, tile: { math: 'matrix', ...tile } } as const;
    expect(() => conv2d(params)).toThrow(message);
    expect(convProblem(params)).toMatch(message);
  });
});

describe('the choice', () => {
  const maths = (tiles: readonly Partial<MapTile>[]): string =>
    [...new Set(tiles.map(({ math }) => math))].join(' ').trim();
  const layer = { images: 1, inChannels: 64, outChannels: 64, height: 64, width: 64 } as const;

  test.each<[string, Variant, MapMath]>([
    ['matrices where halves are allowed', withMatrix, 'matrix'],
    ['f32 where they are not', { ...withMatrix, halves: false }, 'f32'],
    ['f32 without matrices', all, 'f32'],
    ['f32 without barriers', { ...withMatrix, reduce: 'serial' }, 'f32'],
    [
      'f32 where matrices do not fit',
      { ...all, matrix: matrixConfig({ ...matrix, lanes: 128 }) },
      'f32',
    ],
  ])('is %s', (_, variant, math) => {
    expect(convTile({ ...layer, kernelSize: 3, variant }).math).toBe(math);
    const { features } = spatialScores({ images: 1, channels: 64, height: 8, width: 8, variant });
    expect(features?.includes(MATRIX_FEATURE)).toBe(math === 'matrix');
  });

  test('what is worth measuring is what the device has', () => {
    expect(maths(mapTiles({ ...all, f16: false }))).toBe('f32');
    expect(maths(mapTiles(all))).toBe('f32 f16');
    expect(maths(mapTiles(withMatrix))).toBe('f32 f16 matrix');
    expect(maths(mapTiles({ ...withMatrix, f16: false }))).toBe('f32');
    expect(maths(mapTiles({ ...withMatrix, reduce: 'serial' }))).toBe('');
    expect(maths(mapTiles({ ...withMatrix, halves: false }))).toBe('f32');
  });

  test('every tile worth measuring can be made', () => {
    for (const sizes of mapTiles(withMatrix)) {
      const params = { ...layer, kernelSize: 3, variant: withMatrix } as const;
      expect(convProblem({ ...params, tile: { method: 'gemm', ...sizes } })).toBeUndefined();
      expect(() => conv2d({ ...params, tile: sizes })).not.toThrow();
    }
  });
});
