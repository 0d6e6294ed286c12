/** PNG files in a browser: pictures with how they were made, written and read. */
import { OptionError } from '../errors.ts';
import type { RgbaImage } from '../picture/grid.ts';
import { type PngText, pngBytes, pngParts } from '../picture/png-format.ts';
import { decodeText, type PngFacts, readPngParts, textBudget } from '../picture/png-parts.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Encodes an image as PNG: three channels when it is opaque, else four. Pixels are exact, whatever the
 * browser's canvas does to colours.
 * @throws OptionError when the number of bytes does not fit the size, or a keyword or text cannot be
 * stored.
 */
export async function encodePng(image: RgbaImage, text: PngText = {}): Promise<Bytes> {
  const { header, rows } = pngParts(image, text);
  const data = await through(new CompressionStream('deflate'), rows);
  return pngBytes(header, data);
}

/**
 * Reads the size and the texts of a PNG file, compressed ones too.
 * @param name Of the file, for messages.
 * @throws OptionError when it is no PNG, is cut off or damaged, or has more than 16 MiB of text.
 */
export async function readPngFacts(name: string, bytes: Bytes): Promise<PngFacts> {
  const fail = (problem: string, cause?: unknown): never => {
    throw new OptionError(`${name}: ${problem}`, { cause });
  };
  const source = {
    size: bytes.length,
    read: (at: number, length: number) => bytes.subarray(at, at + length),
  };
  const { texts, width, height } = readPngParts(source, fail);
  const spend = textBudget(fail);
  const text = new Map<string, string>();
  for (const packed of texts) {
    const { keyword, at, data, isCompressed } = packed;
    const broken = (cause: unknown): never =>
      cause instanceof OptionError
        ? fail(cause.message, cause)
        : fail(`is damaged: the text at byte ${at} cannot be decompressed`, cause);
    const whole = isCompressed
      ? await through(new DecompressionStream('deflate'), data.slice(), spend).catch(broken)
      : data;
    if (!isCompressed) spend(data.length);
    if (!text.has(keyword)) text.set(keyword, decodeText(packed, whole));
  }
  return { width, height, text };
}

/** @param spend Is told of every piece, and throws when there are too many bytes. */
async function through(
  stream: CompressionStream | DecompressionStream,
  bytes: Bytes,
  spend?: (length: number) => void,
): Promise<Bytes> {
  const pieces: Bytes[] = [];
  const packed = new Blob([bytes]).stream().pipeThrough(stream);
  const reader: ReadableStreamDefaultReader<Bytes> = packed.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(pieces).arrayBuffer());
    spend?.(value.length);
    pieces.push(value);
  }
}
