/** Pixels to PNG bytes. */
import { promisify } from 'node:util';
import { deflate, deflateSync } from 'node:zlib';
import type { RgbaImage } from '../picture/grid.ts';
import { type PngText, pngBytes, pngParts } from '../picture/png-format.ts';
import { DEFLATE } from './deflate.ts';

export interface PngOptions {
  /** Text that the file carries, by keyword: what it shows and how it was made. */
  readonly text?: PngText | undefined;
}

/**
 * Encodes an image as PNG: three channels when it is opaque, else four. The same pixels and text
 * always give the same bytes.
 * @throws OptionError when the number of bytes does not fit the size, or a keyword or text cannot be
 * stored.
 */
export function encodePng(image: RgbaImage, options: PngOptions = {}): Uint8Array<ArrayBuffer> {
  const { header, rows } = pngParts(image, options.text);
  return pngBytes(header, deflateSync(rows, DEFLATE));
}

/** `encodePng` that compresses in another thread, so that this one can go on. */
export async function encodePngAside(
  image: RgbaImage,
  options: PngOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { header, rows } = pngParts(image, options.text);
  return pngBytes(header, await promisify(deflate)(rows, DEFLATE));
}
