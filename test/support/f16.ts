/** IEEE half precision in plain TypeScript, for test inputs. */

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** Rounds to the nearest half (ties to even); overflow gives infinity. */
export function toHalfBits(value: number): number {
  f32[0] = value;
  const x = u32[0]!;
  const sign = (x >>> 16) & 0x8000;
  const magnitude = Math.abs(f32[0]!);
  if (Number.isNaN(magnitude)) return sign | 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundEven(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  const steps = roundEven(magnitude * 2 ** (10 - exponent));
  return sign | (((exponent + 14) << 10) + steps);
}

function roundEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

export function fromHalfBits(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >>> 10) & 31;
  const fraction = h & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The nearest half-precision value of each number. */
export const roundF16 = (data: ArrayLike<number>): Float32Array =>
  Float32Array.from(data, (v) => fromHalfBits(toHalfBits(v)));

/** Two halves to a word, first in the low half; an odd tail is padded with zero. */
export function packF16(data: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(data.length / 2));
  for (let i = 0; i < data.length; i++) {
    words[i >> 1]! |= toHalfBits(data[i]!) << (16 * (i & 1));
  }
  return words;
}

export function unpackF16(words: Uint32Array, length: number): Float32Array {
  return Float32Array.from({ length }, (_, i) =>
    fromHalfBits((words[i >> 1]! >>> (16 * (i & 1))) & 0xffff),
  );
}
