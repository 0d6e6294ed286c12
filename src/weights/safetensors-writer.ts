/** Writes safetensors files as a stream: the header first, then the data piece by piece. */
import { DTYPE_BYTES, type FileDType } from './safetensors.ts';

/** What bytes are written to, one after another. */
export interface ByteSink {
  /** Resolves when `bytes` may be used again. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** A tensor to be written. */
export interface TensorOutput {
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /** Its elements in row-major order, little-endian, in pieces of any size. */
  chunks(): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called after each piece. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** The header, with the length field in front. */
export interface SafetensorsHeader {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The tensors in the order of their data. */
  readonly order: readonly Pick<TensorOutput, 'name' | 'dtype' | 'shape'>[];
  /** Bytes of the whole file. */
  readonly byteLength: number;
}

const PREFIX_BYTES = 8;
/** Data begin at a multiple of this, as readers that map files expect. */
const ALIGNMENT = 8;
const SPACE = 0x20;

/** Bytes of a tensor. */
export const tensorBytes = ({ dtype, shape }: Pick<TensorOutput, 'dtype' | 'shape'>): number =>
  shape.reduce((product, n) => product * n, DTYPE_BYTES[dtype]);

/**
 * Lays out a file. Wider elements come first, so that every tensor begins at a multiple of its
 * element size; tensors of one width keep their order.
 * @throws RangeError for a name that is reserved or there twice.
 */
export function safetensorsHeader<T extends Pick<TensorOutput, 'name' | 'dtype' | 'shape'>>(
  tensors: readonly T[],
  metadata: Readonly<Record<string, string>>,
): SafetensorsHeader & { readonly order: readonly T[] } {
  const order = [...tensors].sort((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype]);
  // A Map keeps names like "__proto__" and "1" as they are; an object would not.
  const fields = new Map<string, unknown>([['__metadata__', metadata]]);
  let end = 0;
  for (const { name, dtype, shape } of order) {
    if (fields.has(name)) throw new RangeError(`safetensors: the name "${name}" cannot be used`);
    const begin = end;
    end += tensorBytes({ dtype, shape });
    fields.set(name, { dtype, shape, data_offsets: [begin, end] });
  }
  const json = [...fields].map(
    ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
  );
  const text = new TextEncoder().encode(`{${json.join(',')}}`);
  const length = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(PREFIX_BYTES + length).fill(SPACE);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(text, PREFIX_BYTES);
  return { bytes, order, byteLength: bytes.length + end };
}

/**
 * Writes a whole file to a sink, which then holds as many bytes as this returns.
 * @throws RangeError when a tensor gives more or fewer bytes than its shape says; the signal's
 * reason when it is aborted.
 */
export async function writeSafetensors(
  sink: ByteSink,
  tensors: readonly TensorOutput[],
  metadata: Readonly<Record<string, string>>,
  { signal, onProgress }: WriteOptions = {},
): Promise<number> {
  signal?.throwIfAborted();
  const { bytes, order, byteLength } = safetensorsHeader(tensors, metadata);
  await sink.write(bytes);
  let done = bytes.length;
  onProgress?.(done, byteLength);
  for (const tensor of order) {
    const expected = tensorBytes(tensor);
    let written = 0;
    for await (const chunk of tensor.chunks()) {
      signal?.throwIfAborted();
      written += chunk.length;
      if (written > expected) break;
      await sink.write(chunk);
      done += chunk.length;
      onProgress?.(done, byteLength);
    }
    if (written !== expected) {
      const more = written > expected ? 'at least ' : '';
      throw new RangeError(
        `safetensors: "${tensor.name}" expected ${expected} bytes, got ${more}${written}`,
      );
    }
  }
  return done;
}
