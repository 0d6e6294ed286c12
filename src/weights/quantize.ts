/**
 * Integer weights: what becomes integers, and how a safetensors file stores them. The layout in
 * memory is that of kernels/lib/accessors.ts, byte for byte, so that files load without conversion:
 * the tensor of the official name holds the quants, I8 [outDim, inDim] for int8 (two's complement)
 * and U8 [outDim, inDim / 2] for int4 (value + 8, the first of two in the low half), rows padded to a
 * multiple of 4 bytes; NAME.scales holds F16 [outDim, groups].
 */
import type { MatrixDType, QuantDType } from '../../kernels/kernel.ts';
import { quantGroups, quantWords } from '../../kernels/lib/quants.ts';
import type { FileDType } from './safetensors.ts';

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

/** The integer storage of a stored element type; undefined for all others. */
export const quantDTypeOf = (dtype: FileDType | undefined): QuantDType | undefined =>
  dtype === 'I8' ? 'int8' : dtype === 'U8' ? 'int4' : undefined;
