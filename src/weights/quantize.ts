/**
 * Integer weights: floats to quants and scales, and how a safetensors file stores them. The layout in
 * memory is that of kernels/lib/accessors.ts, byte for byte, so that files load without conversion:
 * the tensor of the official name holds the quants, I8 [outDim, inDim] for int8 (two's complement)
 * and U8 [outDim, inDim / 2] for int4 (value + 8, the first of two in the low half), rows padded to a
 * multiple of 4 bytes; NAME.scales holds F16 [outDim, groups].
 */
import type { MatrixDType, QuantDType } from '../../kernels/kernel.ts';
import { QUANT_LAYOUT, quantGroups, quantWords } from '../../kernels/lib/quants.ts';
import { WeightsError } from '../errors.ts';
import type { Origin } from './convert.ts';
import { HALF_INFINITY, halfTable, roundToHalf } from './half.ts';
import type { FileDType } from './safetensors.ts';

/** Rows of a matrix as integers. */
export interface QuantisedRows {
  /** u32 [rows, quantWords]. */
  readonly quants: Uint32Array<ArrayBuffer>;
  /** Halves [rows, quantGroups]. */
  readonly scales: Uint16Array<ArrayBuffer>;
}

/** Metadata key of a file with integer weights; its value is the element type of the matrices. */
export const QUANTIZATION_KEY = 'quantization';

/** Name of the tensor that holds the scales of another. */
export const scalesName = (name: string): string => `${name}.scales`;

/**
 * Tensors that stay floats. Norms: as int4 they alone cost more than all matrices of one kind (NMSE of
 * the logits 2.4e-3 against 7e-4 to 1.2e-3, a trained 64x64 model) and save nothing. Embeddings:
 * kernels look them up as floats; they cost little as integers (3e-4), but are read a row at a time, so
 * that only memory would be saved. Everything else of a decoder is a matrix of products.
 */
export const keepsPrecision = (name: string): boolean =>
  !/^(output|layers\.\d+\.(attention\.(wqkv|wo)|feed_forward\.w[123]))\.weight$/.test(name);

/**
 * Storage of one tensor of a decoder that is stored as `dtype`. The output head of an int4 model is
 * int8: as int4 it alone changes 18 % of the greedy tokens of that model, as int8 8 %.
 * @param kept Storage of what keeps its precision.
 */
export function storageOf<K extends MatrixDType>(
  name: string,
  dtype: QuantDType,
  kept: K,
): K | QuantDType {
  if (keepsPrecision(name)) return kept;
  return name === 'output.weight' ? 'int8' : dtype;
}

/** What a safetensors file stores for one matrix: its quants, then its scales. */
export function quantisedEntries(
  dtype: QuantDType,
  name: string,
  [rows, inDim]: readonly [rows: number, inDim: number],
): readonly {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
}[] {
  return [
    { name, dtype: dtype === 'int8' ? 'I8' : 'U8', shape: [rows, 4 * quantWords(dtype, inDim)] },
    { name: scalesName(name), dtype: 'F16', shape: [rows, quantGroups(dtype, inDim)] },
  ];
}

/** One stored tensor of a matrix, made of the same rows as the others. */
export interface QuantisedPart {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /** Bytes for consecutive rows of the matrix: f32 [n, inDim], all finite. */
  encode(rows: Float32Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

/** How a converter writes one matrix, some rows at a time: its quants and its scales. */
export function quantisedParts(
  dtype: QuantDType,
  origin: Origin,
  [rows, inDim]: readonly [rows: number, inDim: number],
): readonly QuantisedPart[] {
  const made = (values: Float32Array): QuantisedRows =>
    quantizeRows(dtype, values, values.length / inDim, inDim, origin);
  return quantisedEntries(dtype, origin.tensor, [rows, inDim]).map((entry, i) => ({
    ...entry,
    encode(values) {
      const { quants, scales } = made(values);
      return new Uint8Array((i === 0 ? quants : scales).buffer);
    },
  }));
}

/** The integer storage of a stored element type; undefined for all others. */
export const quantDTypeOf = (dtype: FileDType | undefined): QuantDType | undefined =>
  dtype === 'I8' ? 'int8' : dtype === 'U8' ? 'int4' : undefined;

/** Quants at which the largest value of a group lies. */
const FULL_SCALE: Readonly<Record<QuantDType, number>> = { int8: 127, int4: -8 };

/**
 * Rounds every group of a row to multiples of a scale, which is a half itself. int8: the largest
 * magnitude is 127 or -127. int4: the value of largest magnitude is -8 whatever its sign, so that all
 * 16 quants are used (a scale may be negative).
 * @param values Finite, [rows, inDim].
 * @throws WeightsError when a scale is too large for a half, RangeError when the sizes do not fit.
 */
export function quantizeRows(
  dtype: QuantDType,
  values: Float32Array,
  rows: number,
  inDim: number,
  origin: Origin = { file: 'weights', tensor: 'matrix' },
): QuantisedRows {
  if (values.length !== rows * inDim) {
    throw new RangeError(`expected ${rows} x ${inDim} values, got ${values.length}`);
  }
  const groups = quantGroups(dtype, inDim);
  const words = quantWords(dtype, inDim);
  const { group, perWord } = QUANT_LAYOUT[dtype];
  const [least, most, zero] = dtype === 'int8' ? [-127, 127, 0] : [-8, 7, 8];
  const bits = 32 / perWord;
  const mask = 2 ** bits - 1;
  const quants = new Uint32Array(rows * words);
  const scales = new Uint16Array(rows * groups);
  const halves = halfTable();
  const one = new Float32Array(1);
  const single = new Uint32Array(one.buffer);
  for (let row = 0; row < rows; row++) {
    for (let g = 0; g < groups; g++) {
      const first = row * inDim + g * group;
      const end = Math.min(first + group, (row + 1) * inDim);
      let peak = 0;
      for (let i = first; i < end; i++) {
        const v = values[i] as number;
        if (Math.abs(v) > Math.abs(peak)) peak = v;
      }
      one[0] = (dtype === 'int8' ? Math.abs(peak) : peak) / FULL_SCALE[dtype];
      const half = roundToHalf(single[0] as number);
      if ((half & 0x7fff) === HALF_INFINITY) {
        throw new WeightsError(
          `${origin.file}: tensor "${origin.tensor}" has the value ${peak} in row ${row}, too large for ${dtype}: its scale overflows f16`,
        );
      }
      scales[row * groups + g] = half;
      single[0] = halves[half] as number;
      const inverse = one[0] === 0 ? 0 : 1 / one[0];
      for (let i = first; i < end; i++) {
        const exact = Math.max(least, Math.min(most, (values[i] as number) * inverse));
        const quant = (exact < 0 ? (exact - 0.5) | 0 : (exact + 0.5) | 0) + zero;
        const column = i - row * inDim;
        const word = row * words + Math.floor(column / perWord);
        quants[word] = (quants[word] as number) | ((quant & mask) << (bits * (column % perWord)));
      }
    }
  }
  return { quants, scales };
}
