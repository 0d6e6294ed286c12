/**
 * The header of a safetensors file: 8 bytes little-endian header length, a JSON header, raw data.
 * Accepts what the reference implementation (huggingface/safetensors 0.8) accepts, and no more; but
 * not what the format forbids and the implementation lets pass: a key twice, or space before the header.
 */
import { WeightsError } from '../errors.ts';
import { scanJson } from './json-scan.ts';
import { quote } from './quote.ts';
import { type ByteSource, readExactly } from './source.ts';

/**
 * Element types a header may name, with their size in bytes. Four values of F6 fill three bytes, two
 * of F4 one: such a tensor must end with a whole byte.
 */
export const DTYPE_BYTES = {
  C64: 8,
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
  F8_E8M0: 1,
  F8_E4M3FNUZ: 1,
  F8_E5M2FNUZ: 1,
  F6_E2M3: 0.75,
  F6_E3M2: 0.75,
  F4: 0.5,
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
/** Longest piece of a number in a message. */
const MAX_LITERAL = 30;
/** Objects and lists inside each other that the reference implementation reads. */
const MAX_DEPTH = 127;
/** Sizes are 64 bits wide in the reference implementation. */
const MAX_SIZE = 2n ** 64n - 1n;
/** Half of a pair that stands for one character: no UTF-8 text has it. */
const LONE_SURROGATE = /\p{Surrogate}/u;

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
    else {
      checkUnicode(name, fail);
      found.push({ source, ...parseEntry(name, value, dataStart, dataBytes, fail) });
    }
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
  checkText(text, fail);
  return header as Json;
}

/** What is wrong with the text of a header, although it is JSON. */
function checkText(text: string, fail: Fail): void {
  const { twice, depth } = scanJson(text, (literal, [, tensor, field, ...inner]) => {
    if ((field !== 'shape' && field !== 'data_offsets') || inner.length > 0) return;
    // JSON.parse turns 16.0 and 1.6e1 into 16, and -0 passes for 0. What it cannot hide comes later.
    if (!Number.isInteger(Number(literal)) || Number(literal) < 0) return;
    fail(
      `tensor ${quote(tensor)}: ${quote(field)} expected whole numbers in digits, got ${literal.slice(0, MAX_LITERAL)}`,
    );
  });
  // JSON.parse keeps the last of two equal keys, which would hide a tensor.
  if (twice !== undefined) fail(`the header has the key ${quote(twice)} twice`);
  if (depth > MAX_DEPTH) fail(`the header is ${depth} levels deep, at most ${MAX_DEPTH} are read`);
}

function parseMetadata(value: unknown, fail: Fail): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  // As if it were not there, which some writers mean by it.
  if (value === null) return metadata;
  if (!isObject(value)) fail(`"__metadata__" expected an object of strings, got ${quote(value)}`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      fail(`"__metadata__": ${quote(key)} expected a string, got ${quote(text)}`);
    }
    checkUnicode(key, fail);
    checkUnicode(text, fail);
    metadata.set(key, text);
  }
  return metadata;
}

function checkUnicode(text: string, fail: Fail): void {
  if (LONE_SURROGATE.test(text)) fail(`${quote(text)} has half a character (a lone surrogate)`);
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
  const bits = sizeInBits(dtype, shape);
  if (bits === undefined) bad(`"shape" ${quote(shape)} has too many elements to count`);
  if (bits % 8n !== 0n) bad(`${dtype}${quote(shape)} has ${bits} bits, which are no whole bytes`);
  if (BigInt(end - begin) !== bits / 8n) {
    bad(`${dtype}${quote(shape)} needs ${bits / 8n} bytes, but "data_offsets" span ${end - begin}`);
  }
  return { name, dtype, shape, offset: dataStart + begin, byteLength: end - begin };
}

/** Undefined where the reference implementation's 64 bits overflow, whatever zero comes later. */
function sizeInBits(dtype: FileDType, shape: readonly number[]): bigint | undefined {
  let elements = 1n;
  for (const size of shape) {
    elements *= BigInt(size);
    if (elements > MAX_SIZE) return undefined;
  }
  const bits = elements * BigInt(8 * DTYPE_BYTES[dtype]);
  return bits > MAX_SIZE ? undefined : bits;
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
