/** The pixels of a PNG file. */
import { readFileSync } from 'node:fs';
import { type DecodedPng, decode, hasPngSignature } from 'fast-png';
import { OptionError } from '../errors.ts';
import type { RgbaImage } from '../picture/grid.ts';
import { fileProblem } from './file-problem.ts';
import { readPngFacts } from './png-read.ts';

/** A photo of 100 megapixels takes 400 MB as pixels. */
const MAX_PIXELS = 10 ** 8;

/**
 * Reads a PNG file of any kind: grey, palette, 16 bits, with or without alpha.
 * @throws OptionError when the file cannot be read, is no PNG, is damaged, or has over 10^8 pixels.
 */
export function readPng(path: string): RgbaImage {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new OptionError(`${path}: cannot be read: ${fileProblem(cause)}`, { cause });
  }
  if (!hasPngSignature(bytes)) {
    throw new OptionError(
      `${path}: expected a PNG file; other formats must be converted to PNG first`,
    );
  }
  const { width, height } = readPngFacts(path);
  if (width * height > MAX_PIXELS) {
    throw new OptionError(`${path}: ${width} x ${height} pixels are more than ${MAX_PIXELS}`);
  }
  try {
    return toRgba(decode(bytes, { checkCrc: true }));
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new OptionError(`${path}: is damaged: ${problem}`, { cause });
  }
}

function toRgba(png: DecodedPng): RgbaImage {
  const { width, height, channels, depth, palette } = png;
  const rgba = new Uint8ClampedArray(4 * width * height);
  const value = valueReader(png);
  const isGrey = channels < 3 && !palette;
  for (let i = 0; i < width * height; i++) {
    if (palette) {
      const [red = 0, green = 0, blue = 0, alpha = 255] = palette[value(i)] ?? [];
      rgba.set([red, green, blue, alpha], 4 * i);
      continue;
    }
    const to8 = 255 / (2 ** depth - 1);
    const at = (c: number): number => value(i * channels + c) * to8;
    const hasAlpha = channels === 2 || channels === 4;
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = at(isGrey ? 0 : c);
    rgba[4 * i + 3] = hasAlpha ? at(channels - 1) : 255;
  }
  return { width, height, rgba };
}

/** Values below a byte are packed: rows begin at whole bytes. */
function valueReader({ data, depth, width, channels }: DecodedPng): (index: number) => number {
  if (depth >= 8) return (index) => data[index] ?? 0;
  const perByte = 8 / depth;
  const line = Math.ceil((width * channels) / perByte);
  return (index) => {
    const [y, x] = [Math.floor(index / (width * channels)), index % (width * channels)];
    const byte = data[y * line + Math.floor(x / perByte)] ?? 0;
    return (byte >> (8 - depth * ((x % perByte) + 1))) & (2 ** depth - 1);
  };
}
