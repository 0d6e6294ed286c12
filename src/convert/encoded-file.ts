/** A safetensors file that is made of a checkpoint while it is read: nothing of it is stored. */
import type { FloatDType } from '../weights/formats.ts';
import { type EncodedTensor, encodedTensor } from '../weights/reencode.ts';
import { safetensorsHeader, tensorBytes } from '../weights/safetensors-writer.ts';
import { type ByteSource, checkRange } from '../weights/source.ts';
import { assertHonest, metadataOf, type PlannedFile } from './plan.ts';

/** A tensor, and where its bytes lie in the file. */
interface Placed {
  readonly tensor: EncodedTensor;
  readonly begin: number;
  readonly end: number;
}

/**
 * The file that a conversion would write, but for the hash of its source.
 * @param name For messages.
 * @throws WeightsError when elements are no floats; reading throws one when a value is not finite, or too
 * large for the element type.
 */
export function encodedFile(name: string, planned: PlannedFile, dtype: FloatDType): ByteSource {
  const tensors = planned.tensors.map((tensor) =>
    encodedTensor(planned.source.path, tensor, dtype),
  );
  const { bytes: header, order, byteLength } = safetensorsHeader(tensors, metadataOf(planned));
  assertHonest(planned.source, byteLength - header.byteLength);
  const placed: Placed[] = [];
  let end = header.byteLength;
  for (const tensor of order) {
    const begin = end;
    end += tensorBytes(tensor);
    placed.push({ tensor, begin, end });
  }
  return {
    name,
    byteLength,
    async read(offset, length) {
      checkRange({ name, byteLength }, offset, length);
      const bytes = new Uint8Array(length);
      bytes.set(header.subarray(offset, offset + length));
      for (const { tensor, begin, end } of placed) {
        const [from, to] = [Math.max(begin, offset), Math.min(end, offset + length)];
        if (from < to) bytes.set(await readPart(tensor, from - begin, to - begin), from - offset);
      }
      return bytes;
    },
  };
}

/** The bytes from `from` to `to` of a tensor. */
async function readPart(
  tensor: EncodedTensor,
  from: number,
  to: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { elementBytes } = tensor;
  const start = Math.floor(from / elementBytes);
  const count = Math.ceil(to / elementBytes) - start;
  const bytes = await tensor.read(start, count);
  return bytes.subarray(from - start * elementBytes, to - start * elementBytes);
}
