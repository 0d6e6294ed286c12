/** Pixels to PNG bytes. */
import { deflateSync } from 'node:zlib';
import type { RgbaImage } from '../picture/grid.ts';
import {
  checkPixels,
  filterRows,
  isOpaque,
  type PngText,
  pngBytes,
  pngHeader,
} from '../picture/png-format.ts';
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
export function encodePng(image: RgbaImage, { text }: PngOptions = {}): Uint8Array<ArrayBuffer> {
  checkPixels(image);
  const { width, height, rgba } = image;
  const channels = isOpaque(rgba) ? 3 : 4;
  const rows = filterRows(rgba, width, channels);
  const data = deflateSync(rows, DEFLATE);
  return pngBytes(pngHeader({ width, height, channels, text }), data);
}
