/** What devices with validation have accepted, from one process to the next. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Variant } from '../../kernels/kernel.ts';
import { linear } from '../../kernels/product/linear.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { readAccepted, writeAccepted } from '../../src/node/accepted-file.ts';

test('matrices that were found before make the same kernels', () => {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-accepted-'));
  const path = join(folder, 'cache', 'accepted.json');
  const matrix = matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 });
  writeAccepted(path, 'a GPU', { matrices: { config: matrix }, kernels: ['a', 'b'] });
  writeAccepted(path, 'a GPU', { matrices: { config: matrix }, kernels: ['b', 'c'] });
  const read = readAccepted(path, 'a GPU');
  expect(readAccepted(path, 'another')).toBeUndefined();
  rmSync(folder, { recursive: true });
  expect(read?.kernels).toEqual(['a', 'b', 'c']);
  const textOf = (own: Variant['matrix']): string => {
    const variant: Variant = { reduce: 'subgroup', f16: true, lanes: 32, matrix: own };
    const shape = { rows: 2, inDim: 256, outDim: 64, dtype: 'f16' } as const;
    return linear({ ...shape, variant, tile: { math: 'matrix' } }).code;
  };
  expect(textOf(read?.matrices.config)).toBe(textOf(matrix));
});
