/**
 * The header of a safetensors file: 8 bytes little-endian header length, a JSON header, raw data.
 * Accepts what the reference implementation (huggingface/safetensors) accepts, and no more.
 */
import { WeightsError } from '../errors.ts';
import { findDuplicateKey } from './duplicate-keys.ts';
import { type ByteSource, readExactly } from './source.ts';

/** Element types a header may name, with their size in bytes. */
export const DTYPE_BYTES = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
} as const;

/** Element type of a stored tensor. */
export type FileDType = keyof typeof DTYPE_BYTES;

/** One stored tensor. */
export interface TensorEntry {
  /** The file that holds its data. */
  readonly source: ByteSource;
  readonly name: string;
  readonly dtype: FileDType;
  readonly shape: readonly number[];
  /** Position of its first byte, counted from the start of the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** A file, or several, whose headers were read and found sound. Tensor data is still unread. */
export interface Safetensors {
  /** For messages: of the file, or of the index of its shards. */
  readonly name: string;
  /** By name, in the order of their data. */
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** Bytes of the length field in front of the header. */
const PREFIX_BYTES = 8;
/** Longest header the reference implementation reads. */
const MAX_HEADER_BYTES = 100_000_000;
/** Longest piece of a bad value repeated in a message. */
const MAX_QUOTED_CHARS = 80;

/**
 * Reads the length field and the header, and nothing else.
 * @throws WeightsError that names file, tensor and value when the header is not sound, or when the
 * tensors do not cover the data exactly (gap, overlap, cut file, trailing bytes).
 */
export async function openSafetensors(source: ByteSource): Promise<Safetensors> {
  const fail: Fail = (message) => {
    throw new WeightsError(`${source.name}: ${message}`);
  };
  const headerBytes = await readHeaderLength(source, fail);
  const text = decodeText(await readExactly(source, PREFIX_BYTES, headerBytes), fail);
  const header = parseHeader(text, fail);
  const dataStart = PREFIX_BYTES + headerBytes;
  const dataBytes = source.byteLength - dataStart;
  const found: TensorEntry[] = [];
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(value, fail);
    else found.push({ source, ...parseEntry(name, value, dataStart, dataBytes, fail) });
  }
  found.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  checkCoverage(found, dataStart, source.byteLength, fail);
  const tensors = new Map(found.map((entry) => [entry.name, entry]));
  return { name: source.name, tensors, metadata };
}

type Fail = (message: string) => never;
type Json = Readonly<Record<string, unknown>>;

async function readHeaderLength(source: ByteSource, fail: Fail): Promise<number> {
  if (source.byteLength < PREFIX_BYTES) {
    fail(
      `expected at least ${PREFIX_BYTES} bytes, got ${source.byteLength}: not a safetensors file`,
    );
  }
  const prefix = await readExactly(source, 0, PREFIX_BYTES);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    fail(
      `the header claims ${length} bytes, at most ${MAX_HEADER_BYTES} are allowed: not a safetensors file`,
    );
  }
  if (Number(length) > source.byteLength - PREFIX_BYTES) {
    fail(
      `the header claims ${length} bytes, but the file has only ${source.byteLength}: it was cut short`,
    );
  }
  return Number(length);
}

function decodeText(bytes: Uint8Array<ArrayBuffer>, fail: Fail): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail('the header is not UTF-8 text');
  }
}

function parseHeader(text: string, fail: Fail): Json {
  if (!text.startsWith('{')) fail(`the header must start with "{", got ${quote(text)}`);
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    fail(`the header is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  // JSON.parse keeps the last of two equal keys, which would hide a tensor.
  const twice = findDuplicateKey(text);
  if (twice !== undefined) fail(`the header has the key ${quote(twice)} twice`);
  return header as Json;
}

function parseMetadata(value: unknown, fail: Fail): ReadonlyMap<string, string> {
  if (!isObject(value)) fail(`"__metadata__" expected an object of strings, got ${quote(value)}`);
  const metadata = new Map<string, string>();
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      fail(`"__metadata__": ${quote(key)} expected a string, got ${quote(text)}`);
    }
    metadata.set(key, text);
  }
  return metadata;
}

function parseEntry(
  name: string,
  value: unknown,
  dataStart: number,
  dataBytes: number,
  fail: Fail,
): Omit<TensorEntry, 'source'> {
  const bad: Fail = (message) => fail(`tensor ${quote(name)}: ${message}`);
  if (!isObject(value)) bad(`expected {dtype, shape, data_offsets}, got ${quote(value)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDType(dtype)) {
    bad(`"dtype" expected one of ${Object.keys(DTYPE_BYTES).join(' ')}, got ${quote(dtype)}`);
  }
  if (!isCounts(shape)) {
    bad(`"shape" expected an array of whole numbers from 0 up, got ${quote(shape)}`);
  }
  if (!isCounts(offsets) || offsets.length !== 2) {
    bad(`"data_offsets" expected [begin, end] in bytes, got ${quote(offsets)}`);
  }
  const [begin = 0, end = 0] = offsets;
  if (begin > end) bad(`"data_offsets" begin at ${begin}, after their end ${end}`);
  if (end > dataBytes) {
    bad(`ends at byte ${end} of the data, but the file has only ${dataBytes} bytes of data`);
  }
  let needed: number = DTYPE_BYTES[dtype];
  for (const size of shape) {
    needed *= size;
    if (!Number.isSafeInteger(needed))
      bad(`"shape" ${quote(shape)} has too many elements to count`);
  }
  if (end - begin !== needed) {
    bad(`${dtype}[${shape}] needs ${needed} bytes, but "data_offsets" span ${end - begin}`);
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength: end - begin };
}

/** Every byte of data must belong to exactly one tensor. */
function checkCoverage(
  sorted: readonly TensorEntry[],
  dataStart: number,
  fileBytes: number,
  fail: Fail,
): void {
  let end = dataStart;
  let last = 'the header';
  for (const { name, offset, byteLength } of sorted) {
    if (offset < end) {
      fail(`tensor ${quote(name)} overlaps ${last}: it begins ${end - offset} bytes too early`);
    }
    if (offset > end) fail(`${offset - end} bytes between ${last} and ${quote(name)} are unused`);
    end = offset + byteLength;
    last = quote(name);
  }
  if (end < fileBytes) fail(`${fileBytes - end} bytes after ${last} belong to no tensor`);
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isDType = (value: unknown): value is FileDType =>
  typeof value === 'string' && Object.hasOwn(DTYPE_BYTES, value);

const isCounts = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_QUOTED_CHARS ? `${text.slice(0, MAX_QUOTED_CHARS)}...` : text;
}
