/** The entries of a zip file, by ranges. `torch.save` stores them uncompressed, at aligned offsets. */
import { ZipReader } from '@zip.js/zip.js/lib/zip-core-reader.js';
import { WeightsError } from '../../errors.ts';
import { type ByteSource, readExactly } from '../source.ts';
import { describeValue } from './values.ts';

/** Where an entry says that it lies. */
export interface ZipEntry {
  readonly name: string;
  /** Of its local header, from the start of the file. */
  readonly headerOffset: number;
  readonly byteLength: number;
}

/** Bytes of a file. */
export interface ByteRange {
  readonly offset: number;
  readonly byteLength: number;
}

const LOCAL_HEADER_BYTES = 30;
const LOCAL_HEADER_SIGNATURE = 0x04034b50;
const STORED = 0;
/** Longest central directory that is read; a checkpoint has a few hundred entries of 100 bytes. */
const MAX_DIRECTORY_BYTES = 2 ** 24;
const MAX_ENTRIES = 2 ** 16;

/** Whether a file begins as a zip file does. */
export const isZip = (start: Uint8Array): boolean =>
  start[0] === 0x50 && start[1] === 0x4b && start[2] === 3 && start[3] === 4;

/**
 * Reads the central directory; what local headers and data descriptors say is not used.
 * @throws WeightsError that names the entry when it is compressed, encrypted, there twice or outside
 * of the file, or when there is no sound directory.
 */
export async function openZip(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const entries = new Map<string, ZipEntry>();
  const fail = (name: string, message: string): never => {
    throw new WeightsError(`${source.name}: zip entry ${describeValue(name)}: ${message}`);
  };
  const reader = new ZipReader(rangesOf(source), { filenameValidation: 'tolerant' });
  try {
    for await (const entry of reader.getEntriesGenerator()) {
      const { filename: name, offset, compressedSize, uncompressedSize, directory } = entry;
      if (entries.size >= MAX_ENTRIES) fail(name, `the file has more than ${MAX_ENTRIES} entries`);
      if (entries.has(name)) fail(name, 'is there twice');
      if (entry.encrypted) fail(name, 'is encrypted');
      if (entry.compressionMethod !== STORED || compressedSize !== uncompressedSize) {
        fail(name, 'is compressed; checkpoints of torch.save are not, so it is not unpacked');
      }
      if (directory) continue;
      if (!isInside(offset, LOCAL_HEADER_BYTES + uncompressedSize, source.byteLength)) {
        fail(
          name,
          `claims ${uncompressedSize} bytes after ${offset}, but the file has only ${source.byteLength} bytes`,
        );
      }
      entries.set(name, { name, headerOffset: offset, byteLength: uncompressedSize });
    }
  } catch (error) {
    if (error instanceof WeightsError) throw error;
    throw new WeightsError(
      `${source.name}: no sound zip file, it was cut or changed: ${error instanceof Error ? error.message : error}`,
      { cause: error },
    );
  }
  return entries;
}

/**
 * Finds the data of an entry behind its local header.
 * @throws WeightsError when there is no local header or the data leave the file.
 */
export async function zipData(source: ByteSource, entry: ZipEntry): Promise<ByteRange> {
  const { name, headerOffset, byteLength } = entry;
  const header = await readExactly(source, headerOffset, LOCAL_HEADER_BYTES);
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const where = `${source.name}: zip entry ${describeValue(name)}`;
  if (view.getUint32(0, true) !== LOCAL_HEADER_SIGNATURE) {
    throw new WeightsError(`${where}: nothing begins at ${headerOffset}, where it should`);
  }
  const offset =
    headerOffset + LOCAL_HEADER_BYTES + view.getUint16(26, true) + view.getUint16(28, true);
  if (!isInside(offset, byteLength, source.byteLength)) {
    throw new WeightsError(
      `${where}: claims ${byteLength} bytes at ${offset}, but the file has only ${source.byteLength} bytes`,
    );
  }
  return { offset, byteLength };
}

const isInside = (offset: number, length: number, fileBytes: number): boolean =>
  Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset + length <= fileBytes;

/** The ranges the zip library asks for, as far as the file has them. */
function rangesOf(source: ByteSource) {
  const { name, byteLength } = source;
  return {
    size: byteLength,
    // Its types want a stream; one that has ranges is never streamed.
    readable: new ReadableStream<Uint8Array>(),
    async readUint8Array(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
      const most = Math.max(0, Math.min(length, byteLength - offset));
      if (most > MAX_DIRECTORY_BYTES) {
        throw new WeightsError(
          `${name}: the zip directory claims ${length} bytes, at most ${MAX_DIRECTORY_BYTES} are read`,
        );
      }
      return most === 0 ? new Uint8Array(0) : readExactly(source, offset, most);
    },
  };
}
