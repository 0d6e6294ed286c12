/** Pixels to PNG bytes. */
import { deflateSync } from 'node:zlib';
import { OptionError } from '../errors.ts';
import type { RgbaImage } from '../picture/grid.ts';
import { DEFLATE, filterRows, type PngText, pngBytes, pngHeader } from './png-format.ts';

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
export function encodePng(
  { width, height, rgba }: RgbaImage,
  { text }: PngOptions = {},
): Uint8Array<ArrayBuffer> {
  if (rgba.length !== 4 * width * height || rgba.length === 0) {
    throw new OptionError(
      `encodePng: a ${width}x${height} image expected ${4 * width * height} bytes, got ${rgba.length}`,
    );
  }
  const channels = isOpaque(rgba) ? 3 : 4;
  const rows = filterRows(rgba, width, channels);
  const data = deflateSync(rows, DEFLATE);
  return pngBytes(pngHeader({ width, height, channels, text }), data);
}

function isOpaque(rgba: Uint8ClampedArray): boolean {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return false;
  return true;
}
