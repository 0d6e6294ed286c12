/**
 * The format of `torch.save` before 1.6: five pickles (magic number, protocol, system, object, keys
 * of the storages), then for each key its number of elements and its data.
 */
import { WeightsError } from '../../errors.ts';
import { type ByteSource, readExactly } from '../source.ts';
import type { PtArchive } from './archive.ts';
import { readPickle } from './read-pickle.ts';
import type { Unpickled } from './unpickle.ts';
import { describeValue, PtDict, type PtStorage, type PtValue, sizeOfStorage } from './values.ts';
import type { ByteRange } from './zip.ts';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
/** A little-endian number of elements in front of each storage. */
const COUNT_BYTES = 8;

/** @throws WeightsError when a part is missing, or the storages are not those the object names. */
export async function openLegacyArchive(source: ByteSource): Promise<PtArchive> {
  let at = 0;
  const next = async (part: string, ok: (value: PtValue) => boolean): Promise<Unpickled> => {
    const pickle = await readPickle(source, part, at, source.byteLength - at);
    if (!ok(pickle.value)) {
      throw new WeightsError(`${source.name}: the ${part} is not that of torch.save`);
    }
    at += pickle.end;
    return pickle;
  };
  await next('magic number', (value) => value === MAGIC);
  await next('protocol number', (value) => value === PROTOCOL);
  await next('description of a little-endian system', isLittleEndian);
  const { value, storages } = await next('object', () => true);
  const keys = await next('list of storage keys', isTexts);
  const ranges = await locateAll(source, keys.value as string[], storages, at);
  return {
    source,
    value,
    where: `${source.name}: object`,
    async locate({ key }) {
      const range = ranges.get(key);
      if (range) return range;
      throw new WeightsError(`${source.name}: has no storage ${describeValue(key)}`);
    },
  };
}

/** Storages follow each other without gaps, so the place of one depends on all before it. */
async function locateAll(
  source: ByteSource,
  keys: readonly string[],
  storages: ReadonlyMap<string, PtStorage>,
  start: number,
): Promise<Map<string, ByteRange>> {
  if (keys.length > storages.size) {
    throw new WeightsError(
      `${source.name}: lists ${keys.length} storages, but its tensors use ${storages.size}`,
    );
  }
  const ranges = new Map<string, ByteRange>();
  let at = start;
  for (const key of keys) {
    const where = `${source.name}: storage ${describeValue(key)}`;
    const storage = storages.get(key);
    if (!storage) throw new WeightsError(`${where}: no tensor says what it holds`);
    const byteLength = sizeOfStorage(storage);
    const offset = at + COUNT_BYTES;
    if (offset + byteLength > source.byteLength) {
      throw new WeightsError(
        `${where}: claims ${byteLength} bytes at ${offset}, but the file has only ${source.byteLength} bytes`,
      );
    }
    const count = await readExactly(source, at, COUNT_BYTES);
    const stored = new DataView(count.buffer, count.byteOffset, COUNT_BYTES).getBigInt64(0, true);
    if (stored !== BigInt(storage.length)) {
      throw new WeightsError(`${where}: expected ${storage.length} elements, got ${stored}`);
    }
    ranges.set(key, { offset, byteLength });
    at = offset + byteLength;
  }
  return ranges;
}

const isLittleEndian = (value: PtValue): boolean =>
  value instanceof PtDict && value.entries.get('little_endian') === true;

const isTexts = (value: PtValue): boolean =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');
