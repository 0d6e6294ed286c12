/** Matrices of integers as numbers. */
import type { QuantDType } from '../../kernels/kernel.ts';
import { QUANT_LAYOUT, quantGroups, quantWords } from '../../kernels/lib/quants.ts';
import { halfTable } from '../../src/weights/half.ts';
import type { QuantisedRows } from '../../src/weights/quantize-rows.ts';

/** The values that quants and scales stand for, [rows, inDim], as kernels see them. */
export function dequantizeRows(
  dtype: QuantDType,
  { quants, scales }: QuantisedRows,
  rows: number,
  inDim: number,
): Float32Array<ArrayBuffer> {
  const groups = quantGroups(dtype, inDim);
  const words = quantWords(dtype, inDim);
  const { group, perWord } = QUANT_LAYOUT[dtype];
  const bits = 32 / perWord;
  const halves = halfTable();
  const one = new Uint32Array(1);
  const scale = new Float32Array(one.buffer);
  const values = new Float32Array(rows * inDim);
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [Math.floor(i / inDim), i % inDim];
    const word = quants[row * words + Math.floor(column / perWord)] as number;
    const stored = word >>> (bits * (column % perWord));
    const quant = dtype === 'int8' ? (stored << 24) >> 24 : (stored & 15) - 8;
    one[0] = halves[scales[row * groups + Math.floor(column / group)] as number] as number;
    values[i] = quant * (scale[0] as number);
  }
  return values;
}
