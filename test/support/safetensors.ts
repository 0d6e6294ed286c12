/** Writes safetensors files for tests, sound ones and broken ones. */
import { type ByteSource, memorySource } from '../../src/weights/source.ts';

export interface StoredTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** A file of any header text and any data. */
export function rawFile(header: string, data: Uint8Array | number, claimed?: bigint): Uint8Array {
  const text = new TextEncoder().encode(header);
  const body = typeof data === 'number' ? new Uint8Array(data) : data;
  const file = new Uint8Array(8 + text.length + body.length);
  new DataView(file.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  file.set(text, 8);
  file.set(body, 8 + text.length);
  return file;
}

/** A sound file with these tensors, one after another. */
export function writeSafetensors(tensors: Readonly<Record<string, StoredTensor>>): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  let end = 0;
  for (const [name, { dtype, shape, bytes }] of Object.entries(tensors)) {
    header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
  }
  const data = new Uint8Array(end);
  for (const [name, { bytes }] of Object.entries(tensors)) {
    data.set(bytes, (header[name] as { data_offsets: number[] }).data_offsets[0]!);
  }
  return rawFile(JSON.stringify(header), data);
}

export interface CountingSource extends ByteSource {
  /** [offset, length] of every read so far. */
  readonly reads: [offset: number, length: number][];
}

/** A memory source that remembers its reads. */
export function countingSource(name: string, bytes: Uint8Array): CountingSource {
  const inner = memorySource(name, bytes);
  const reads: [number, number][] = [];
  return {
    name,
    byteLength: inner.byteLength,
    reads,
    read(offset, length) {
      reads.push([offset, length]);
      return inner.read(offset, length);
    },
  };
}

/** The bytes of any typed array. */
export const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Rounds floats to bfloat16 by cutting, good enough for inputs. */
export const toBf16 = (data: ArrayLike<number>): Uint16Array<ArrayBuffer> =>
  Uint16Array.from(new Uint32Array(Float32Array.from(data).buffer), (bits) => bits >>> 16);
