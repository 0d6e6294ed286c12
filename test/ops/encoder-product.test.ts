/** Which kernel multiplies many rows: by what the device has, what weights are stored as, and what is forced. */
import { expect, test } from 'vitest';
import { PORTABLE, type Variant } from '../../kernels/kernel.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { Graph } from '../../src/graph/graph.ts';
import { encoderProduct } from '../../src/ops/encoder-product.ts';
import { run } from '../../src/ops/operation.ts';
import type { Tiles } from '../../src/ops/tiles.ts';
import { matrix } from '../../src/ops/weights.ts';

const matrices = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 });
const gpu: Variant = { reduce: 'subgroup', f16: true, lanes: 32, matrix: matrices };
const serial: Variant = { reduce: 'serial', f16: false };

/** The kernel of 48 rows, and the tile that it was asked for. */
function made(
  variant: Variant,
  dtype: 'f32' | 'f16' | 'bf16' | 'int8',
  tiles: Tiles = {},
  inDim = 64,
) {
  const g = new Graph();
  const weight = matrix(g, 'weight', dtype, [32, inDim]);
  const asked = { rows: 48, inDim, outDim: 32, dtype, variant };
  for (const residual of [undefined, g.state('residual', 'f32', [48, 32])]) {
    run({ g, tiles }, encoderProduct, asked, {
      ...{ x: g.state(`x${residual ? 1 : 0}`, 'f32', [48, inDim]), weight },
      ...(residual && { residual }),
    });
  }
  const [plain, adding] = g.nodes.map(({ kernel }) => kernel);
  expect(adding?.name).toBe(plain?.name);
  const params = adding?.params as { readonly tile?: object } | undefined;
  return { name: plain?.name, tile: params?.tile };
}

test('without barriers it is a kernel of few rows, or of f32 the one whose text serves all shapes', () => {
  expect(made(serial, 'f32').name).toBe('rows_product');
  expect(made(serial, 'f16').name).toBe('linear');
  expect(made(serial, 'f32', { product: { columns: 4 } })).toEqual({
    ...{ name: 'linear', tile: { columns: 4 } },
  });
});

test('with them it is tiled', () => {
  expect(made(PORTABLE, 'f16').name).toBe('matmul');
  expect(made({ ...gpu, matrix: undefined }, 'f16').name).toBe('matmul');
});

test('matrices make it where they can', () => {
  expect(made(gpu, 'f16')).toEqual({ name: 'linear', tile: { math: 'matrix' } });
  const measured = { math: 'matrix', columns: 32 };
  expect(made(gpu, 'f16', { 'product f16[32,64]': measured })).toEqual({
    ...{ name: 'linear', tile: measured },
  });
  for (const dtype of ['f32', 'bf16', 'int8'] as const)
    expect(made(gpu, dtype).name).toBe('matmul');
  expect(made(gpu, 'f16', {}, 72).name).toBe('matmul');
});

test('tiles of few rows in registers say nothing about many, but those that are forced do', () => {
  const registers = { span: 8, parts: 16 };
  expect(made(gpu, 'f16', { 'product f16[32,64]': registers })).toEqual({
    ...{ name: 'linear', tile: { math: 'matrix' } },
  });
  expect(made(gpu, 'f16', { product: { math: 'f32' } }).name).toBe('matmul');
});
