/** Random contents of buffers. */
import { afterAll, expect, test } from 'vitest';
import type { DType } from '../../kernels/kernel.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { Filler, type Spread } from '../../src/gpu/random.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { decodeF32, type WeightDType } from '../../src/weights/convert.ts';
import { testDevice } from '../support/device.ts';

const memory = new Memory(await testDevice());
afterAll(() => memory.freeAll());

/** More than the words that are made once. */
const BYTES = 3 * 2 ** 20;

async function filled(
  dtype: DType,
  spread?: Spread,
  seed?: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = memory.create('temp', dtype, BYTES, usage);
  const filler = new Filler(memory);
  filler.fill({ buffer }, dtype, spread, seed);
  filler.destroy();
  const bytes = new Uint8Array(await readBuffer(memory, buffer));
  memory.free([buffer]);
  return bytes;
}

const mean = (v: Float32Array): number => v.reduce((a, b) => a + b, 0) / v.length;

test.each([
  ['f32', 'F32'],
  ['f16', 'F16'],
  ['bf16', 'BF16'],
] as const)('%s are uniform about their centre', async (dtype, stored) => {
  const bytes = await filled(dtype, { centre: 0.5, spread: 0.25 });
  const values = decodeF32(stored satisfies WeightDType, bytes);
  const [low, high] = [
    values.reduce((a, b) => Math.min(a, b)),
    values.reduce((a, b) => Math.max(a, b)),
  ];
  expect(low).toBeCloseTo(0.25, 2);
  expect(high).toBeCloseTo(0.75, 2);
  expect(mean(values)).toBeCloseTo(0.5, 2);
  expect(mean(values.map((v) => (v - 0.5) ** 2))).toBeCloseTo(0.25 ** 2 / 3, 3);
  expect(new Set(values).size).toBeGreaterThan(dtype === 'bf16' ? 100 : 1000);
});

test('quants are of the whole range, and none is -128', async () => {
  const int8 = new Set(new Int8Array((await filled('int8')).buffer));
  expect([Math.min(...int8), Math.max(...int8)]).toEqual([-127, 127]);
  const nibbles = new Set((await filled('int4')).map((byte) => byte & 15));
  expect(nibbles.size).toBe(16);
});

test('contents are the same for the same seed only', async () => {
  const spread = { centre: 0, spread: 1 };
  expect(await filled('f32', spread, 1)).toEqual(await filled('f32', spread, 1));
  expect(await filled('f32', spread, 1)).not.toEqual(await filled('f32', spread, 2));
});

test.each([64, 768, 1024, 4096])('no two rows of %d values are alike', async (length) => {
  const bytes = await filled('f32');
  const rows = Array.from({ length: BYTES / 4 / length }, (_, row) =>
    bytes.subarray(4 * length * row, 4 * (length * row + 4)).join(),
  );
  expect(new Set(rows).size).toBe(rows.length);
});
