/** How many pictures are decoded in one run, by what a device holds. */
import { expect, test } from 'vitest';
import { imagesARun } from '../../src/engine/images-a-run.ts';
import type { Memory } from '../../src/gpu/memory.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';

const GIB = 2 ** 30;

/** Of 384x384 pixels, on a device that binds so much and has buffers so large. */
function most(
  maxStorageBufferBindingSize: number,
  maxBufferSize = maxStorageBufferBindingSize,
  reduce: 'serial' | 'workgroup' = 'workgroup',
): Promise<number> {
  const precision = { variant: { reduce, f16: false }, dtype: 'f32', kvDtype: 'f32' } as const;
  const limits = { maxStorageBufferBindingSize, maxBufferSize };
  const memory = { device: { limits } } as Memory;
  return imagesARun({ config: VQ_16, precision, memory }, [24, 24]);
}

test('eight where 2 GiB are bound at once', async () => {
  expect(await most(2 * GIB)).toBe(8);
});

test('as many as one binding holds: 75 MB each', async () => {
  expect(await most(GIB / 4, 2 * GIB)).toBe(2);
});

test('as many as all results fit with: 229 MB each', async () => {
  expect(await most(GIB)).toBe(4);
});

test('one with the least limits of WebGPU, and where not even one fits', async () => {
  expect(await most(2 ** 27, 2 ** 28)).toBe(1);
  expect(await most(2 ** 20)).toBe(1);
});

test('one without barriers', async () => {
  expect(await most(2 * GIB, 2 * GIB, 'serial')).toBe(1);
});
