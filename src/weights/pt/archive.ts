/** A `.pt` file taken apart: the object that was saved, and where the bytes of its storages lie. */
import { WeightsError } from '../../errors.ts';
import { type ByteSource, readExactly } from '../source.ts';
import { openLegacyArchive } from './legacy.ts';
import { readPickle } from './read-pickle.ts';
import { describeValue, type PtStorage, type PtValue, sizeOfStorage } from './values.ts';
import { type ByteRange, isZip, openZip, type ZipEntry, zipData } from './zip.ts';

/** What was saved, with its storages still unread. */
export interface PtArchive {
  readonly source: ByteSource;
  readonly value: PtValue;
  /** The file and its pickle, for messages. */
  readonly where: string;
  /**
   * Where a storage lies in the file.
   * @throws WeightsError when the file has no such storage or one of another size.
   */
  locate(storage: PtStorage): Promise<ByteRange>;
}

/** First bytes that tell the formats apart. */
const MAGIC_BYTES = 4;
/** Whether a file begins like one of `torch.save`, of either format, from its first four bytes. */
export const isPt = (start: Uint8Array): boolean => isZip(start) || isLegacy(start);

/**
 * A pickle that begins with a long number, or with a frame. Safetensors may begin with the same two
 * bytes, but would need a header longer than is allowed to have all four.
 */
const isLegacy = ([first, , opcode, length = 0]: Uint8Array): boolean =>
  first === 0x80 && (opcode === 0x8a || opcode === 0x95) && length >= 6;

/**
 * Takes a file of `torch.save` apart: a zip file, or the five pickles of torch before 1.6.
 * @throws WeightsError when it is neither, or broken.
 */
export async function openArchive(source: ByteSource): Promise<PtArchive> {
  const start = await readExactly(source, 0, Math.min(MAGIC_BYTES, source.byteLength));
  if (isZip(start)) return openZipArchive(source);
  if (isLegacy(start)) return openLegacyArchive(source);
  throw new WeightsError(
    `${source.name}: expected a checkpoint of torch.save, which begins with a zip header or a pickle, got ${start.length === 0 ? 'an empty file' : `the bytes ${start.join(' ')}`}`,
  );
}

async function openZipArchive(source: ByteSource): Promise<PtArchive> {
  const entries = await openZip(source);
  const pickles = [...entries.values()].filter(({ name }) => /^([^/]+\/)?data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (!pickle || pickles.length > 1) {
    throw new WeightsError(
      `${source.name}: expected one zip entry "data.pkl" in a folder, got ${pickles.length}: not a checkpoint of torch.save`,
    );
  }
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  await checkByteOrder(source, entries.get(`${folder}byteorder`));
  const { offset, byteLength } = await zipData(source, pickle);
  const { value, end } = await readPickle(source, pickle.name, offset, byteLength);
  if (end !== byteLength) {
    throw new WeightsError(
      `${source.name}: ${pickle.name}: ${byteLength - end} bytes follow the pickle`,
    );
  }
  return {
    source,
    value,
    where: `${source.name}: ${pickle.name}`,
    async locate(storage) {
      const name = `${folder}data/${storage.key}`;
      const entry = entries.get(name);
      if (!entry) throw new WeightsError(`${source.name}: has no zip entry ${describeValue(name)}`);
      const expected = sizeOfStorage(storage);
      if (entry.byteLength !== expected) {
        throw new WeightsError(
          `${source.name}: zip entry ${describeValue(name)}: expected ${expected} bytes for ${storage.dtype}[${storage.length}], got ${entry.byteLength}`,
        );
      }
      return zipData(source, entry);
    },
  };
}

async function checkByteOrder(source: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return;
  const { offset, byteLength } = await zipData(source, entry);
  const bytes = await readExactly(source, offset, Math.min(byteLength, 16));
  const order = new TextDecoder().decode(bytes).trim();
  if (order !== 'little') {
    throw new WeightsError(
      `${source.name}: zip entry ${describeValue(entry.name)}: expected "little", got ${describeValue(order)}: only little-endian checkpoints are read`,
    );
  }
}
