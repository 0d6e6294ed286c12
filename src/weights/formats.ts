/** The element types a converter can write: how a tensor is laid out in each, and how it is encoded. */
import { WeightsError } from '../errors.ts';
import { type Origin, roundToHalf } from './convert.ts';
import type { FileDType } from './safetensors.ts';

/** Types that a checkpoint can be converted to. */
export const TARGET_DTYPES = ['f32', 'f16', 'bf16'] as const;
export type TargetDType = (typeof TARGET_DTYPES)[number];

/** One tensor of the output that holds a tensor of the input, or a part of what it says. */
export interface EncodedPart {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /**
   * Encodes consecutive rows of the input.
   * @param rows f32 [n, shape[1] * shape[2] * ..], all finite; a piece of one row of a vector.
   * @returns The bytes of this part for those rows.
   */
  encode(rows: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

/** What an encoding lost, added up over all tensors. */
export interface Losses {
  /** Values that were not zero and became zero. */
  flushed: number;
}

/**
 * The output tensors for one input tensor. A plain type gives one; a quantised one may give several,
 * each of which is encoded from the same rows.
 */
export type WeightFormat = (
  origin: Origin,
  shape: readonly number[],
  losses: Losses,
) => readonly EncodedPart[];

/** Largest finite half. */
const MAX_HALF = 65504;
const HALF_INFINITY = 0x7c00;

/** How each type lays tensors out. */
export const FORMATS: Readonly<Record<TargetDType, WeightFormat>> = {
  f32: ({ tensor: name }, shape) => [{ name, dtype: 'F32', shape, encode: toBytes }],
  f16: (origin, shape, losses) => [
    { name: origin.tensor, dtype: 'F16', shape, encode: (rows) => encodeF16(origin, rows, losses) },
  ],
  bf16: (origin, shape, losses) => [
    {
      name: origin.tensor,
      dtype: 'BF16',
      shape,
      encode: (rows) => encodeBF16(origin, rows, losses),
    },
  ],
};

/** @throws WeightsError when a value is too large for a half. */
function encodeF16(
  { file, tensor }: Origin,
  rows: Float32Array<ArrayBuffer>,
  losses: Losses,
): Uint8Array<ArrayBuffer> {
  const singles = new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
  const halves = new Uint16Array(rows.length);
  let overflowed = 0;
  for (let i = 0; i < singles.length; i++) {
    const single = singles[i] as number;
    const half = roundToHalf(single);
    halves[i] = half;
    const magnitude = half & 0x7fff;
    if (magnitude === HALF_INFINITY) overflowed++;
    else if (magnitude === 0 && (single & 0x7fffffff) !== 0) losses.flushed++;
  }
  if (overflowed > 0) {
    throw new WeightsError(
      `${file}: tensor "${tensor}" has ${overflowed} values beyond ${MAX_HALF}, the largest f16, ` +
        `among ${rows.length}: convert to bf16 or f32`,
    );
  }
  return toBytes(halves);
}

/** Rounds to nearest even. @throws WeightsError when a value rounds to infinity. */
function encodeBF16(
  { file, tensor }: Origin,
  rows: Float32Array<ArrayBuffer>,
  losses: Losses,
): Uint8Array<ArrayBuffer> {
  const singles = new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
  const halves = new Uint16Array(rows.length);
  let overflowed = 0;
  for (let i = 0; i < singles.length; i++) {
    const single = singles[i] as number;
    const rounded = (single + 0x7fff + ((single >>> 16) & 1)) >>> 16;
    halves[i] = rounded;
    if ((rounded & 0x7fff) === 0x7f80) overflowed++;
    else if ((rounded & 0x7fff) === 0 && (single & 0x7fffffff) !== 0) losses.flushed++;
  }
  if (overflowed > 0) {
    throw new WeightsError(
      `${file}: tensor "${tensor}" has ${overflowed} values beyond the largest bf16 among ` +
        `${rows.length}: convert to f32`,
    );
  }
  return toBytes(halves);
}

const toBytes = (
  values: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
