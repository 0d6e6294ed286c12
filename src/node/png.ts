/** Pixels to PNG bytes. */
import { encode } from 'fast-png';
import { OptionError } from '../errors.ts';
import type { RgbaImage } from '../generate/grid.ts';

/**
 * Encodes an image as PNG: three channels when it is opaque, else four. The same pixels always give
 * the same bytes.
 * @throws OptionError when the number of bytes does not fit the size.
 */
export function encodePng({ width, height, rgba }: RgbaImage): Uint8Array {
  if (rgba.length !== 4 * width * height || rgba.length === 0) {
    throw new OptionError(
      `encodePng: a ${width}x${height} image expected ${4 * width * height} bytes, got ${rgba.length}`,
    );
  }
  const opaque = !rgba.some((value, i) => i % 4 === 3 && value !== 255);
  const channels = opaque ? 3 : 4;
  const data = opaque ? rgba.filter((_, i) => i % 4 !== 3) : rgba;
  return encode({ width, height, data, channels, depth: 8 });
}
