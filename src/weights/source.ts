/** Where bytes come from: a file, a URL, a dropped file. Readers see nothing else. */
import { WeightsError } from '../errors.ts';

/** Random access to the bytes of one file. */
export interface ByteSource {
  /** File name, for messages. */
  readonly name: string;
  readonly byteLength: number;
  /**
   * Reads exactly `length` bytes. Memory of the result belongs to the caller.
   * @throws WeightsError when the file does not have these bytes.
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Reads `target.byteLength` bytes into memory of the caller, where that is faster than `read`:
   * allocating memory for every read of a large file takes longer than copying it.
   * @throws WeightsError when the file does not have these bytes.
   */
  readInto?(offset: number, target: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** A model folder, whatever it lives in. */
export interface ModelFiles {
  /** For messages. */
  readonly name: string;
  /**
   * @param file Name inside the folder, e.g. `gpt.safetensors`.
   * @throws WeightsError when the folder has no such file.
   */
  open(file: string): Promise<ByteSource>;
}

/** Bytes already in memory. Every read is a copy. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  const { byteLength } = bytes;
  return {
    name,
    byteLength,
    async read(offset, length) {
      checkRange({ name, byteLength }, offset, length);
      return bytes.slice(offset, offset + length);
    },
  };
}

/** Throws a WeightsError unless the file has the bytes from `offset` to `offset + length`. */
export function checkRange(
  { name, byteLength }: Pick<ByteSource, 'name' | 'byteLength'>,
  offset: number,
  length: number,
): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!whole || offset < 0 || length < 0 || offset + length > byteLength) {
    throw new WeightsError(
      `${name}: cannot read ${length} bytes at ${offset}: the file has ${byteLength} bytes`,
    );
  }
}

/**
 * Reads exactly `length` bytes, whatever the source returns.
 * @throws WeightsError when the range is outside the file or the source gives another count.
 */
export async function readExactly(
  source: ByteSource,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  checkRange(source, offset, length);
  const bytes = await source.read(offset, length);
  if (bytes.byteLength !== length) {
    throw new WeightsError(
      `${source.name}: expected ${length} bytes at ${offset}, got ${bytes.byteLength}: the file was cut or changed`,
    );
  }
  return bytes;
}

/**
 * Like `readExactly`, into the beginning of `scratch` where the source can do that.
 * @returns The bytes, which may lie in `scratch`: use them before the next call.
 */
export async function readReusing(
  source: ByteSource,
  offset: number,
  length: number,
  scratch: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  if (!source.readInto || length > scratch.byteLength) return readExactly(source, offset, length);
  checkRange(source, offset, length);
  const target = scratch.subarray(0, length);
  await source.readInto(offset, target);
  return target;
}
