/** The size and the texts of a PNG file on disk. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { OptionError } from '../errors.ts';
import {
  decodeText,
  MAX_TEXT_BYTES,
  type PngFacts,
  type PngFail,
  type PngSource,
  readPngParts,
  textBudget,
} from '../picture/png-parts.ts';
import { fileProblem } from './file-problem.ts';

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
    return factsOf(sourceOf(file, fail), fail);
  } finally {
    closeSync(file);
  }
}

function factsOf(source: PngSource, fail: PngFail): PngFacts {
  const { texts, width, height } = readPngParts(source, fail);
  const spend = textBudget(fail);
  const text = new Map<string, string>();
  for (const packed of texts) {
    const data = packed.isCompressed ? inflated(packed.data, packed.at, fail) : packed.data;
    spend(data.length);
    if (!text.has(packed.keyword)) text.set(packed.keyword, decodeText(packed, data));
  }
  return { width, height, text };
}

function inflated(data: Uint8Array, at: number, fail: PngFail): Uint8Array {
  try {
    return inflateSync(data, { maxOutputLength: MAX_TEXT_BYTES });
  } catch (cause) {
    if (cause instanceof RangeError) textBudget(fail)(Number.POSITIVE_INFINITY);
    return fail(`is damaged: the text at byte ${at} cannot be decompressed`, cause);
  }
}

function sourceOf(file: number, fail: PngFail): PngSource {
  return {
    size: fstatSync(file).size,
    read(at, length) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const read = readSync(file, bytes, done, length - done, at + done);
        if (read === 0) fail('became shorter while it was read');
        done += read;
      }
      return bytes;
    },
  };
}
