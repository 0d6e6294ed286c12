/** Weights of every storage, as kernels are given them and as oracles see them. */

import type { MatrixDType } from '../../kernels/kernel.ts';
import { isQuantised, scalesOf } from '../../kernels/lib/quants.ts';
import { quantizeRows } from '../../src/weights/quantize-rows.ts';
import { dequantizeRows } from './dequantize.ts';
import { fromHalfBits } from './f16.ts';
import { fromHalves, toHalves } from './halves.ts';

export const MATRIX_DTYPES = ['f32', 'f16', 'bf16', 'int8', 'int4'] as const;

/** The bfloat16 value towards zero of each number. */
export const cutBf16 = (data: ArrayLike<number>): Float32Array => {
  const bits = new Uint32Array(Float32Array.from(data).buffer);
  return new Float32Array(bits.map((b) => b & 0xffff0000).buffer);
};

/** Values of a table that its storage holds exactly. */
export function exactIn(dtype: 'f32' | 'f16' | 'bf16', data: Float32Array): Float32Array {
  if (dtype === 'f16') return fromHalves(toHalves(data));
  return dtype === 'bf16' ? cutBf16(data) : data;
}

export interface StoredWeight {
  /** What `runKernel` is given: values or quants under the name of the binding, and scales. */
  readonly inputs: Readonly<Record<string, ArrayLike<number>>>;
  /** The values they stand for, [outDim, inDim]. */
  readonly meant: Float32Array;
}

/** A weight [outDim, inDim] for the binding `name`. */
export function storedWeight(
  name: string,
  dtype: MatrixDType,
  values: Float32Array,
  [outDim, inDim]: readonly [number, number],
): StoredWeight {
  if (!isQuantised(dtype)) {
    const meant = exactIn(dtype, values);
    return { inputs: { [name]: meant }, meant };
  }
  const rows = quantizeRows(dtype, values, outDim, inDim);
  const scales = Float32Array.from(rows.scales, fromHalfBits);
  return {
    inputs: { [name]: poisoned(dtype, rows.quants, inDim), [scalesOf(name)]: scales },
    meant: dequantizeRows(dtype, rows, outDim, inDim),
  };
}

/** Fills what is left of the last word of every row with ones: it must not count. */
function poisoned(dtype: 'int8' | 'int4', quants: Uint32Array, inDim: number): Uint32Array {
  const perWord = dtype === 'int8' ? 4 : 8;
  const words = Math.ceil(inDim / perWord);
  const used = inDim % perWord;
  if (used === 0) return quants;
  const rest = (0xffffffff << (used * (32 / perWord))) >>> 0;
  return quants.map((word, i) => (i % words === words - 1 ? (word | rest) >>> 0 : word));
}
