/** Stored weights to the element types kernels read. Little-endian hosts only, as WebGPU itself. */
import { WeightsError } from '../errors.ts';
import { HALF_INFINITY, halfTable, roundToHalf, SINGLE_INFINITY } from './half.ts';

/** Stored element types that can be used as weights. */
export type WeightDType = 'F32' | 'F16' | 'BF16';

/** Whose values these are, for messages. */
export interface Origin {
  readonly file: string;
  readonly tensor: string;
}

/** Largest finite half. */
const MAX_HALF = 65504;

/** Whether tensors of this element type can be used as weights. */
export const isWeightDType = (dtype: string): dtype is WeightDType =>
  dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';

/**
 * The exact value of every element. The result may share memory with `bytes`.
 * @param bytes Elements as stored, row-major.
 */
export function decodeF32(
  dtype: WeightDType,
  bytes: Uint8Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> {
  if (dtype === 'F32') {
    const { buffer, byteOffset, length } = singles(bytes);
    return new Float32Array(buffer, byteOffset, length);
  }
  const stored = halves(bytes);
  const bits = new Uint32Array(stored.length);
  if (dtype === 'BF16') {
    for (let i = 0; i < stored.length; i++) bits[i] = (stored[i] as number) << 16;
  } else {
    const table = halfTable();
    for (let i = 0; i < stored.length; i++) bits[i] = table[stored[i] as number] as number;
  }
  return new Float32Array(bits.buffer);
}

/** What rounding to 16 bits lost so far. */
export interface Losses {
  /** Finite values beyond the largest one of the type. */
  overflowed: number;
  /** Values that were not zero and became zero. */
  flushed: number;
}

/**
 * Packs elements as halves, two to a word: first in the low half, an odd tail padded with zero.
 * F16 is copied as it is; the others are rounded to nearest even.
 * @param bytes Elements as stored, row-major.
 * @param losses Counts what is lost, for tensors that are packed in pieces; without it, overflow throws.
 * @throws WeightsError when a finite value is too large for a half.
 */
export function packF16(
  origin: Origin,
  dtype: WeightDType,
  bytes: Uint8Array<ArrayBuffer>,
  losses?: Losses,
): Uint32Array<ArrayBuffer> {
  const source = dtype === 'F32' ? singles(bytes) : halves(bytes);
  const words = new Uint32Array(Math.ceil(source.length / 2));
  const packed = new Uint16Array(words.buffer);
  if (dtype === 'F16') {
    packed.set(source);
    return words;
  }
  const shift = dtype === 'BF16' ? 16 : 0;
  let [overflowed, flushed] = [0, 0];
  for (let i = 0; i < source.length; i++) {
    const single = (source[i] as number) << shift;
    const magnitude = single & 0x7fffffff;
    const half = roundToHalf(single);
    packed[i] = half;
    if ((half & 0x7fff) === HALF_INFINITY && magnitude < SINGLE_INFINITY) overflowed++;
    if ((half & 0x7fff) === 0 && magnitude !== 0) flushed++;
  }
  if (!losses) assertNoOverflow(origin, 'f16', overflowed, source.length);
  else {
    losses.overflowed += overflowed;
    losses.flushed += flushed;
  }
  return words;
}

/**
 * Packs elements as bfloat16, two to a word like halves. BF16 is copied as it is; the others are
 * rounded to nearest even.
 * @param bytes Elements as stored, row-major; finite.
 * @param losses Counts what is lost.
 */
export function packBf16(
  dtype: WeightDType,
  bytes: Uint8Array<ArrayBuffer>,
  losses: Losses,
): Uint32Array<ArrayBuffer> {
  const source =
    dtype === 'BF16' ? halves(bytes) : new Uint32Array(decodeF32(dtype, bytes).slice().buffer);
  const words = new Uint32Array(Math.ceil(source.length / 2));
  const packed = new Uint16Array(words.buffer);
  if (dtype === 'BF16') {
    packed.set(source);
    return words;
  }
  for (let i = 0; i < source.length; i++) {
    const single = source[i] as number;
    const brain = (single + 0x7fff + ((single >>> 16) & 1)) >>> 16;
    packed[i] = brain;
    if ((brain & 0x7fff) === SINGLE_INFINITY >>> 16) losses.overflowed++;
    if ((brain & 0x7fff) === 0 && (single & 0x7fffffff) !== 0) losses.flushed++;
  }
  return words;
}

/** @throws WeightsError when values were beyond the largest one of a 16-bit type. */
export function assertNoOverflow(
  { file, tensor }: Origin,
  dtype: 'f16' | 'bf16',
  overflowed: number,
  count: number,
): void {
  if (overflowed === 0) return;
  const most = dtype === 'f16' ? `${MAX_HALF}, the largest f16` : 'the largest bf16';
  throw new WeightsError(
    `${file}: tensor "${tensor}" has ${overflowed} of ${count} values beyond ${most}: ` +
      'load this model with f32 weights',
  );
}

/** Words looked at before their bits are judged. */
const CHECK_BLOCK = 4096;

/**
 * Looks at the raw bits of every element.
 * @param first Flat index of the first element, for pieces of a tensor.
 * @throws WeightsError that names the first NaN or infinity and its flat index.
 */
export function assertFinite(
  origin: Origin,
  dtype: WeightDType,
  bytes: Uint8Array<ArrayBuffer>,
  first = 0,
): void {
  if (allFinite(dtype, bytes)) return;
  const stored = dtype === 'F32' ? singles(bytes) : halves(bytes);
  const infinity = { F32: SINGLE_INFINITY, F16: HALF_INFINITY, BF16: SINGLE_INFINITY >>> 16 }[
    dtype
  ];
  for (let i = 0; i < stored.length; i++) {
    if (((stored[i] as number) & infinity) === infinity) {
      const size = bytes.byteLength / stored.length;
      const [value] = decodeF32(dtype, bytes.slice(i * size, (i + 1) * size));
      throw new WeightsError(
        `${origin.file}: tensor "${origin.tensor}" expected finite values, got ${value} at ${first + i}`,
      );
    }
  }
}

/** Exponent bits of the elements of a word, and one in the lowest exponent bit of each. */
const EXPONENTS: Readonly<Record<WeightDType, readonly [mask: number, one: number]>> = {
  F32: [0x7f800000, 0x00800000],
  BF16: [0x7f807f80, 0x00800080],
  F16: [0x7c007c00, 0x04000400],
};

/**
 * Whether no exponent is all ones. Two elements at once for 16-bit types: adding one to the exponent
 * carries into the sign bit, which was masked out, only where all its bits are ones.
 */
function allFinite(dtype: WeightDType, bytes: Uint8Array<ArrayBuffer>): boolean {
  const { buffer, byteOffset, byteLength } = aligned(bytes, 4);
  const words = new Int32Array(buffer, byteOffset, byteLength >> 2);
  const [mask, one] = EXPONENTS[dtype];
  const signs = dtype === 'F32' ? 0x80000000 : 0x80008000;
  for (let block = 0; block < words.length; block += CHECK_BLOCK) {
    const end = Math.min(block + CHECK_BLOCK, words.length);
    let carries = 0;
    for (let i = block; i < end; i++) carries |= ((words[i] as number) & mask) + one;
    if ((carries & signs) !== 0) return false;
  }
  if (byteLength % 4 === 0) return true;
  const last = (bytes[byteLength - 2] as number) | ((bytes[byteLength - 1] as number) << 8);
  return (((last & mask & 0xffff) + (one & 0xffff)) & 0x8000) === 0;
}

function halves(bytes: Uint8Array<ArrayBuffer>): Uint16Array<ArrayBuffer> {
  const { buffer, byteOffset } = aligned(bytes, 2);
  return new Uint16Array(buffer, byteOffset, bytes.byteLength / 2);
}

function singles(bytes: Uint8Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const { buffer, byteOffset } = aligned(bytes, 4);
  return new Uint32Array(buffer, byteOffset, bytes.byteLength / 4);
}

/** Typed arrays need their start at a multiple of the element size, files give any. */
const aligned = (bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> =>
  bytes.byteOffset % size === 0 ? bytes : bytes.slice();
