/** The size and the texts of a PNG file, read without its pixels (https://www.w3.org/TR/png-3/). */
import { crc32 } from './crc32.ts';

export interface PngFacts {
  readonly width: number;
  readonly height: number;
  /** Texts by keyword in the order of the file; of equal keywords the first. */
  readonly text: ReadonlyMap<string, string>;
}

/** Where bytes of a file come from. */
export interface PngSource {
  readonly size: number;
  /** Exactly so many, which are there. */
  read(at: number, length: number): Uint8Array;
}

/** Says what is wrong with a file. */
export type PngFail = (problem: string, cause?: unknown) => never;

/** A text as it lies in the file. */
export interface PackedText {
  readonly keyword: string;
  /** Of the chunk, for messages. */
  readonly at: number;
  readonly data: Uint8Array;
  readonly isCompressed: boolean;
  readonly charset: 'latin1' | 'utf-8';
}

export interface PngParts {
  readonly width: number;
  readonly height: number;
  readonly texts: readonly PackedText[];
}

/** Most bytes of all texts of a file together, also when they are compressed in it. */
export const MAX_TEXT_BYTES: number = 16 * 2 ** 20;

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const TEXT_CHUNKS: ReadonlySet<string> = new Set(['tEXt', 'zTXt', 'iTXt']);

/**
 * Finds the texts of a file. Pixels are skipped, so that neither their number nor what they are matters.
 * What is not compressed counts towards the limit here, the rest in `textOf`.
 */
export function readPngParts(source: PngSource, fail: PngFail): PngParts {
  const { size } = source;
  const head = size < 8 ? [] : source.read(0, 8);
  if (SIGNATURE.some((byte, i) => head[i] !== byte)) fail('is no PNG file');
  const texts: PackedText[] = [];
  const budget = textBudget(fail);
  let pixels: Pick<PngParts, 'width' | 'height'> | undefined;
  for (let at = 8; ; ) {
    if (at + 12 > size) fail('is cut off: it ends before its last chunk');
    const chunk = source.read(at, 8);
    const [length, name] = [uint32(chunk, 0), latin1(chunk.subarray(4))];
    const next = at + 12 + length;
    if (next > size) fail(`is cut off or damaged: it ends within the chunk at byte ${at}`);
    if (!pixels && (name !== 'IHDR' || length !== 13)) {
      fail('is damaged: it does not begin with its size');
    }
    if (name === 'IHDR') pixels ??= sizeIn(dataOf(source, at, 13, fail), fail);
    if (TEXT_CHUNKS.has(name)) {
      budget(length);
      texts.push(textIn(name, dataOf(source, at, length, fail), at, fail));
    }
    if (name === 'IEND' && pixels) return { ...pixels, texts };
    at = next;
  }
}

/** Counts bytes of text, up to as many as are read. */
export function textBudget(fail: PngFail): (bytes: number) => void {
  let left = MAX_TEXT_BYTES;
  return (bytes) => {
    left -= bytes;
    if (left >= 0) return;
    fail(`has more than ${MAX_TEXT_BYTES / 2 ** 20} MiB of text, the most that is read`);
  };
}

/** @param data Of a text, decompressed. */
export function decodeText({ charset }: PackedText, data: Uint8Array): string {
  return charset === 'latin1' ? latin1(data) : new TextDecoder().decode(data);
}

function sizeIn(data: Uint8Array, fail: PngFail): Pick<PngParts, 'width' | 'height'> {
  const [width, height] = [uint32(data, 0), uint32(data, 4)];
  if (width === 0 || height === 0) fail(`is damaged: its size is ${width}x${height}`);
  return { width, height };
}

function textIn(name: string, data: Uint8Array, at: number, fail: PngFail): PackedText {
  const end = data.indexOf(0);
  if (end < 1) fail(`is damaged: the text at byte ${at} has no keyword`);
  const keyword = latin1(data.subarray(0, end));
  const rest = data.subarray(end + 1);
  if (name === 'tEXt') return { keyword, at, data: rest, isCompressed: false, charset: 'latin1' };
  if (name === 'zTXt') {
    return { keyword, at, data: rest.subarray(1), isCompressed: true, charset: 'latin1' };
  }
  // Behind two flags: the language and the translated keyword, each with a zero at its end.
  const language = rest.indexOf(0, 2);
  const translated = language < 0 ? -1 : rest.indexOf(0, language + 1);
  if (translated < 0) fail(`is damaged: the text at byte ${at} is not complete`);
  const text = rest.subarray(translated + 1);
  return { keyword, at, data: text, isCompressed: rest[0] === 1, charset: 'utf-8' };
}

/** What a chunk holds, its checksum verified. */
function dataOf(source: PngSource, at: number, length: number, fail: PngFail): Uint8Array {
  const chunk = source.read(at + 4, length + 8);
  if (crc32(chunk.subarray(0, -4)) !== uint32(chunk, length + 4)) {
    fail(`is damaged: the chunk at byte ${at} has a wrong checksum`);
  }
  return chunk.subarray(4, -4);
}

const uint32 = ({ buffer, byteOffset }: Uint8Array, at: number): number =>
  new DataView(buffer, byteOffset).getUint32(at);

/** A byte a character, which `TextDecoder` would read as windows-1252. */
function latin1(bytes: Uint8Array): string {
  const PIECE = 2 ** 13;
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) {
    text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  }
  return text;
}
