/** The element types a converter can write: how a tensor is laid out in each, and how it is encoded. */
import type { Origin } from './convert.ts';
import { roundToHalf } from './half.ts';
import { storageOf } from './quantize.ts';
import { quantisedParts } from './quantize-rows.ts';
import type { FileDType } from './safetensors.ts';

/** Types that a decoder can be converted to. */
export const TARGET_DTYPES = ['f32', 'f16', 'bf16', 'int8', 'int4'] as const;
export type TargetDType = (typeof TARGET_DTYPES)[number];
/** Those of single values. */
export type FloatDType = Exclude<TargetDType, 'int8' | 'int4'>;

/** One tensor of the output that holds a tensor of the input, or a part of what it says. */
export interface EncodedPart {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /**
   * Encodes consecutive rows of the input and counts what it cannot keep.
   * @param rows f32 [n, shape[1] * shape[2] * ..], all finite; of a vector, n values.
   * @returns The bytes of this part for those rows.
   */
  encode(rows: Float32Array<ArrayBuffer>, losses: Losses): Uint8Array<ArrayBuffer>;
}

/** What an encoding could not keep. */
export interface Losses {
  /** Values that were not zero and became zero. */
  flushed: number;
  /** Values that are too large for the type. */
  overflowed: number;
}

/**
 * The output tensors for one input tensor. A float type gives one, an integer type the quants and
 * their scales, both encoded from the same rows.
 */
export type WeightFormat = (origin: Origin, shape: readonly number[]) => readonly EncodedPart[];

const FLOAT_FORMATS: Readonly<Record<FloatDType, WeightFormat>> = {
  f32: ({ tensor: name }, shape) => [{ name, dtype: 'F32', shape, encode: toBytes }],
  f16: ({ tensor: name }, shape) => [
    { name, dtype: 'F16', shape, encode: narrow(roundToHalf, 0x7c00) },
  ],
  bf16: ({ tensor: name }, shape) => [
    { name, dtype: 'BF16', shape, encode: narrow(roundToBf16, 0x7f80) },
  ],
};

/**
 * How a type lays tensors out. What keeps its precision in a quantised decoder (`storageOf`) is bf16,
 * the official precision.
 */
export function formatOf(dtype: TargetDType): WeightFormat {
  if (dtype !== 'int8' && dtype !== 'int4') return FLOAT_FORMATS[dtype];
  return (origin, shape) => {
    const [rows = 1, inDim = 1] = shape;
    const storage = storageOf(origin.tensor, dtype, 'bf16');
    return storage === 'int8' || storage === 'int4'
      ? quantisedParts(storage, origin, [rows, inDim])
      : FLOAT_FORMATS.bf16(origin, shape);
  };
}

/** Bf16 bits of a finite float's bits, rounded to nearest even; too large values give infinity. */
const roundToBf16 = (single: number): number => (single + 0x7fff + ((single >>> 16) & 1)) >>> 16;

/**
 * An encoder of 16-bit floats.
 * @param round Bits of a float to bits of the type.
 * @param infinity Bits of the type's infinity.
 */
const narrow =
  (round: (single: number) => number, infinity: number): EncodedPart['encode'] =>
  (rows, losses) => {
    const singles = new Uint32Array(rows.buffer, rows.byteOffset, rows.length);
    const halves = new Uint16Array(rows.length);
    for (let i = 0; i < singles.length; i++) {
      const single = singles[i] as number;
      const half = round(single);
      halves[i] = half;
      const magnitude = half & 0x7fff;
      if (magnitude === infinity) losses.overflowed++;
      else if (magnitude === 0 && (single & 0x7fffffff) !== 0) losses.flushed++;
    }
    return toBytes(halves);
  };

const toBytes = (
  values: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
