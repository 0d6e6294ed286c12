/** Tensors back from the device as numbers, whole or by rows. */

import { byteLength, elementCount } from '../../kernels/cost.ts';
import type { Binding } from '../../kernels/kernel.ts';
import { QUANT_LAYOUT, quantGroups, quantWords } from '../../kernels/lib/accessors.ts';
import type { Memory } from '../../src/gpu/memory.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { halfTable } from '../../src/weights/half.ts';

export type Numbers = Float32Array | Uint32Array;

type Stored = Pick<Binding, 'dtype' | 'shape'>;

/** Numbers of words: floats of f32, f16 and bf16, integers of u32. */
function decode(dtype: Binding['dtype'], words: ArrayBuffer, count: number): Numbers {
  const u32 = new Uint32Array(words);
  if (dtype === 'u32' || dtype === 'i32') return u32.subarray(0, count);
  if (dtype === 'f32') return new Float32Array(words).subarray(0, count);
  const halves = new Uint16Array(words);
  const bits = new Uint32Array(count);
  if (dtype === 'bf16') for (let i = 0; i < count; i++) bits[i] = (halves[i] ?? 0) << 16;
  else if (dtype === 'f16') {
    const table = halfTable();
    for (let i = 0; i < count; i++) bits[i] = table[halves[i] ?? 0] ?? 0;
  } else throw new RangeError(`${dtype} is read by rows with its scales`);
  return new Float32Array(bits.buffer);
}

/**
 * Some of the elements of a tensor, from `first`; a whole number of words.
 * @param count Default all after `first`.
 */
export async function readValues(
  memory: Memory,
  buffer: GPUBuffer,
  stored: Stored,
  first = 0,
  count: number = elementCount(stored.shape) - first,
): Promise<Numbers> {
  const bytes = stored.dtype === 'f16' || stored.dtype === 'bf16' ? 2 : 4;
  const begin = Math.floor((first * bytes) / 4) * 4;
  const end = Math.min(Math.ceil(((first + count) * bytes) / 4) * 4, byteLength(stored));
  const skipped = first - begin / bytes;
  const words = await readBuffer(memory, buffer, end - begin, begin);
  return decode(stored.dtype, words, skipped + count).subarray(skipped) as Numbers;
}

/** Rows of a matrix [rows, length], one after another, whatever its storage. */
export async function readRows(
  memory: Memory,
  buffer: GPUBuffer,
  { dtype, shape }: Stored,
  rows: readonly number[],
  scales?: GPUBuffer,
): Promise<Float32Array> {
  const length = elementCount(shape.slice(1));
  const out = new Float32Array(rows.length * length);
  for (const [i, row] of rows.entries()) {
    const values =
      (dtype === 'int8' || dtype === 'int4') && scales
        ? await quantisedRow(memory, buffer, scales, dtype, row, length)
        : await readValues(memory, buffer, { dtype, shape }, row * length, length);
    out.set(values, i * length);
  }
  return out;
}

async function quantisedRow(
  memory: Memory,
  buffer: GPUBuffer,
  scaleBuffer: GPUBuffer,
  dtype: 'int8' | 'int4',
  row: number,
  length: number,
): Promise<Float32Array> {
  const groups = quantGroups(dtype, length);
  const words = quantWords(dtype, length);
  const quants = new Uint32Array(await readBuffer(memory, buffer, words * 4, row * words * 4));
  const stored = { dtype: 'f16', shape: [(row + 1) * groups] } as const;
  const scales = await readValues(memory, scaleBuffer, stored, row * groups, groups);
  const { group, perWord } = QUANT_LAYOUT[dtype];
  const bits = 32 / perWord;
  return Float32Array.from({ length }, (_, i) => {
    const word = quants[Math.floor(i / perWord)] ?? 0;
    const field = (word >>> (bits * (i % perWord))) & (2 ** bits - 1);
    const quant = dtype === 'int4' ? field - 8 : (field << 24) >> 24;
    return quant * (scales[Math.floor(i / group)] ?? 0);
  });
}
