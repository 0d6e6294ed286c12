/** A file of which some tensors are rounded to integers and back: what quantising them alone would do. */
import type { QuantDType } from '../../kernels/kernel.ts';
import { decodeF32, isWeightDType } from '../../src/weights/convert.ts';
import { dequantizeRows, quantizeRows } from '../../src/weights/quantize.ts';
import type { Safetensors, TensorEntry } from '../../src/weights/safetensors.ts';
import { memorySource, readExactly } from '../../src/weights/source.ts';

/** Tensors whose names match have other values, as F32; the rest is read from the file as before. */
export async function roundedFile(
  file: Safetensors,
  names: RegExp,
  dtype: QuantDType,
): Promise<Safetensors> {
  const tensors = new Map<string, TensorEntry>();
  for (const [name, entry] of file.tensors) {
    tensors.set(name, names.test(name) ? await rounded(entry, dtype) : entry);
  }
  return { ...file, tensors };
}

async function rounded(entry: TensorEntry, as: QuantDType): Promise<TensorEntry> {
  const { name, dtype, shape, source, offset, byteLength } = entry;
  if (!isWeightDType(dtype)) throw new RangeError(`"${name}" is ${dtype}, expected floats`);
  const values = decodeF32(dtype, await readExactly(source, offset, byteLength));
  const inDim = shape.at(-1) ?? 1;
  const rows = values.length / inDim;
  const back = dequantizeRows(as, quantizeRows(as, values, rows, inDim), rows, inDim);
  const bytes = new Uint8Array(back.buffer);
  return {
    ...entry,
    dtype: 'F32',
    source: memorySource(source.name, bytes),
    offset: 0,
    byteLength: bytes.byteLength,
  };
}
