/** The size and the texts of a PNG file, read without its pixels (https://www.w3.org/TR/png-3/). */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { crc32, inflateSync } from 'node:zlib';
import { OptionError } from '../errors.ts';
import { fileProblem } from './file-problem.ts';

export interface PngFacts {
  readonly width: number;
  readonly height: number;
  /** Texts by keyword in the order of the file; of equal keywords the first. */
  readonly text: ReadonlyMap<string, string>;
}

/** Most bytes of all texts of a file together, also when they are compressed in it. */
const MAX_TEXT_BYTES = 16 * 2 ** 20;

const SIGNATURE = '89504e470d0a1a0a';
const TEXT_CHUNKS: ReadonlySet<string> = new Set(['tEXt', 'zTXt', 'iTXt']);

/**
 * Reads the size and the texts of a PNG file, compressed ones too. Pixels are skipped, so that
 * neither their number nor what they are matters.
 * @throws OptionError when the file cannot be read, is no PNG, is cut off or damaged, or has more
 * than 16 MiB of text.
 */
export function readPngFacts(path: string): PngFacts {
  const fail = (problem: string, cause?: unknown): never => {
    throw new OptionError(`${path}: ${problem}`, { cause });
  };
  let file: number;
  try {
    // Opening a pipe would wait for whoever writes into it.
    if (!statSync(path).isFile()) return fail('expected a PNG file, got a folder or a device');
    file = openSync(path, 'r');
  } catch (cause) {
    if (cause instanceof OptionError) throw cause;
    return fail(`cannot be read: ${fileProblem(cause)}`, cause);
  }
  try {
    return new PngReader(file, fstatSync(file).size, fail).read();
  } finally {
    closeSync(file);
  }
}

class PngReader {
  readonly #file: number;
  readonly #size: number;
  readonly #fail: (problem: string, cause?: unknown) => never;
  readonly #text = new Map<string, string>();
  #textLeft = MAX_TEXT_BYTES;

  constructor(file: number, size: number, fail: (problem: string, cause?: unknown) => never) {
    this.#file = file;
    this.#size = size;
    this.#fail = fail;
  }

  read(): PngFacts {
    if (this.#size < 8 || this.#bytes(0, 8).toString('hex') !== SIGNATURE) {
      this.#fail('is no PNG file');
    }
    let size: Pick<PngFacts, 'width' | 'height'> | undefined;
    for (let at = 8; ; ) {
      if (at + 12 > this.#size) this.#fail('is cut off: it ends before its last chunk');
      const head = this.#bytes(at, 8);
      const [length, name] = [head.readUInt32BE(0), head.toString('latin1', 4)];
      const next = at + 12 + length;
      if (next > this.#size) {
        this.#fail(`is cut off or damaged: it ends within the chunk at byte ${at}`);
      }
      if (!size && (name !== 'IHDR' || length !== 13)) {
        this.#fail('is damaged: it does not begin with its size');
      }
      if (name === 'IHDR') size ??= this.#readSize(at);
      if (TEXT_CHUNKS.has(name)) this.#readText(name, at, length);
      if (name === 'IEND' && size) return { ...size, text: this.#text };
      at = next;
    }
  }

  #readSize(at: number): Pick<PngFacts, 'width' | 'height'> {
    const data = this.#data(at, 13);
    const [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
    if (width === 0 || height === 0) this.#fail(`is damaged: its size is ${width}x${height}`);
    return { width, height };
  }

  #readText(name: string, at: number, length: number): void {
    this.#spend(length);
    const data = this.#data(at, length);
    const end = data.indexOf(0);
    if (end < 1) this.#fail(`is damaged: the text at byte ${at} has no keyword`);
    const keyword = data.toString('latin1', 0, end);
    const text = this.#textOf(name, data.subarray(end + 1), at);
    if (!this.#text.has(keyword)) this.#text.set(keyword, text);
  }

  /** The text after its keyword. */
  #textOf(name: string, data: Buffer, at: number): string {
    if (name === 'tEXt') return data.toString('latin1');
    if (name === 'zTXt') return this.#inflated(data.subarray(1), at).toString('latin1');
    const compressed = data[0] === 1;
    // Behind two flags: the language and the translated keyword, each with a zero at its end.
    const language = data.indexOf(0, 2);
    const translated = language < 0 ? -1 : data.indexOf(0, language + 1);
    if (translated < 0) this.#fail(`is damaged: the text at byte ${at} is not complete`);
    const text = data.subarray(translated + 1);
    return (compressed ? this.#inflated(text, at) : text).toString('utf8');
  }

  #inflated(data: Buffer, at: number): Buffer {
    try {
      const text = inflateSync(data, { maxOutputLength: Math.max(1, this.#textLeft) });
      this.#spend(text.length);
      return text;
    } catch (cause) {
      if (cause instanceof RangeError) this.#spend(Number.POSITIVE_INFINITY);
      return this.#fail(`is damaged: the text at byte ${at} cannot be decompressed`, cause);
    }
  }

  #spend(bytes: number): void {
    this.#textLeft -= bytes;
    if (this.#textLeft < 0) {
      this.#fail(`has more than ${MAX_TEXT_BYTES / 2 ** 20} MiB of text, the most that is read`);
    }
  }

  /** What a chunk holds, its checksum verified. */
  #data(at: number, length: number): Buffer {
    const chunk = this.#bytes(at + 4, length + 8);
    if (crc32(chunk.subarray(0, -4)) !== chunk.readUInt32BE(length + 4)) {
      this.#fail(`is damaged: the chunk at byte ${at} has a wrong checksum`);
    }
    return chunk.subarray(4, -4);
  }

  #bytes(at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const read = readSync(this.#file, bytes, done, length - done, at + done);
      if (read === 0) this.#fail('became shorter while it was read');
      done += read;
    }
    return bytes;
  }
}
