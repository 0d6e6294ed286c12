/**
 * Halves by the library's conversion, for inputs that are large. `f16.ts` is the plain one that
 * `test/weights/convert.test.ts` compares the library's with.
 */
import { halfTable, roundToHalf } from '../../src/weights/half.ts';

/** The nearest half of each number, as bits. */
export function toHalves(data: ArrayLike<number>): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(new Float32Array(data).buffer);
  const halves = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) halves[i] = roundToHalf(bits[i]!);
  return halves;
}

export function fromHalves(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const table = halfTable();
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < bits.length; i++) bits[i] = table[halves[i]!]!;
  return new Float32Array(bits.buffer);
}

/** Two halves to a word, first in the low half; an odd tail is padded with zero. */
export function packHalves(data: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(data.length / 2));
  new Uint16Array(words.buffer).set(toHalves(data));
  return words;
}
