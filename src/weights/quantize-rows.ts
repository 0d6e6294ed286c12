/** Floats to integer weights: quants and scales, as `quantize.ts` says that they are stored. */
import type { QuantDType } from '../../kernels/kernel.ts';
import { QUANT_LAYOUT, quantGroups, quantWords } from '../../kernels/lib/quants.ts';
import { WeightsError } from '../errors.ts';
import type { Origin } from './convert.ts';
import { HALF_INFINITY, halfTable, roundToHalf } from './half.ts';
import { quantisedEntries } from './quantize.ts';
import type { FileDType } from './safetensors.ts';

/** Rows of a matrix as integers. */
export interface QuantisedRows {
  /** u32 [rows, quantWords]. */
  readonly quants: Uint32Array<ArrayBuffer>;
  /** Halves [rows, quantGroups]. */
  readonly scales: Uint16Array<ArrayBuffer>;
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
