/**
 * Matrices of integers: a value is quant * scale, one scale for each group of values along a row, so that
 * zero is exact. int8: -127 .. 127, groups of 64. int4: -8 .. 7, stored plus 8, groups of 32. The last
 * group of a row may be shorter. Quants and scales are arrays of their own:
 * - quants u32: int8 four to a word, int4 eight to a word, the first in the low bits; every row begins
 *   with a word, and what is left of its last word is not read.
 * - scales f16 [outDim, groups], packed two to a word like every f16 tensor, rows one after another.
 */
import { ceilDiv, type MatrixDType, type QuantDType } from '../kernel.ts';

/** Values that share a scale, and values in a word. */
export const QUANT_LAYOUT: Readonly<
  Record<QuantDType, { readonly group: number; readonly perWord: number }>
> = {
  int8: { group: 64, perWord: 4 },
  int4: { group: 32, perWord: 8 },
};

/** Whether weights of this dtype come with scales. */
export const isQuantised = (dtype: MatrixDType): dtype is QuantDType =>
  dtype === 'int8' || dtype === 'int4';

/** Name of the scales of a weight. */
export const scalesOf = <N extends string>(name: N): `${N}Scales` => `${name}Scales`;

/** Scales in a row of `inDim` values. */
export const quantGroups = (dtype: QuantDType, inDim: number): number =>
  ceilDiv(inDim, QUANT_LAYOUT[dtype].group);

/** Words in a row of `inDim` quants. */
export const quantWords = (dtype: QuantDType, inDim: number): number =>
  ceilDiv(inDim, QUANT_LAYOUT[dtype].perWord);
