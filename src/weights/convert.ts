/** Stored weights to the element types kernels read. Little-endian hosts only, as WebGPU itself. */
import { WeightsError } from '../errors.ts';
import { HALF_INFINITY, halfTable, roundToHalf, SINGLE_INFINITY } from './half.ts';
import type { FileDType } from './safetensors.ts';

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
export const isWeightDType = (dtype: FileDType): dtype is WeightDType =>
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

/**
 * Packs elements as halves, two to a word: first in the low half, an odd tail padded with zero.
 * F16 is copied as it is; the others are rounded to nearest even.
 * @param bytes Elements as stored, row-major.
 * @throws WeightsError when a finite value is too large for a half.
 */
export function packF16(
  origin: Origin,
  dtype: WeightDType,
  bytes: Uint8Array<ArrayBuffer>,
): Uint32Array<ArrayBuffer> {
  const source = dtype === 'F32' ? singles(bytes) : halves(bytes);
  const words = new Uint32Array(Math.ceil(source.length / 2));
  const packed = new Uint16Array(words.buffer);
  if (dtype === 'F16') {
    packed.set(source);
    return words;
  }
  const shift = dtype === 'BF16' ? 16 : 0;
  let overflowed = 0;
  for (let i = 0; i < source.length; i++) {
    const single = (source[i] as number) << shift;
    const half = roundToHalf(single);
    packed[i] = half;
    if ((half & 0x7fff) === HALF_INFINITY && (single & 0x7fffffff) < SINGLE_INFINITY) overflowed++;
  }
  if (overflowed > 0) {
    throw new WeightsError(
      `${origin.file}: tensor "${origin.tensor}" has ${overflowed} of ${source.length} values beyond ` +
        `${MAX_HALF}, the largest f16: load this model with f32 weights`,
    );
  }
  return words;
}

/**
 * Looks at the raw bits of every element.
 * @param first Flat index of the first element in its tensor, for the message.
 * @throws WeightsError that names the first NaN or infinity and its flat index.
 */
export function assertFinite(
  origin: Origin,
  dtype: WeightDType,
  bytes: Uint8Array<ArrayBuffer>,
  first = 0,
): void {
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
