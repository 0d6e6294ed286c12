/** A picture that is never in memory as a whole, to PNG. */
import { pipeline } from 'node:stream/promises';
import { createDeflate } from 'node:zlib';
import { OptionError } from '../errors.ts';
import {
  dataChunks,
  filterRows,
  MAX_DATA_BYTES,
  type PngText,
  pngEnd,
  pngHeader,
} from '../picture/png-format.ts';
import { DEFLATE } from './deflate.ts';
import type { Output } from './output-file.ts';

/** An opaque picture. */
export interface PngPicture {
  readonly width: number;
  readonly height: number;
  readonly text?: PngText | undefined;
}

/**
 * Writes an opaque picture as it comes: the file that `encodePng` makes of it. The first byte is
 * written when there are pixels.
 * @param bands Whole rows from the top, four bytes a pixel; alpha is left out.
 * @throws OptionError when the bands are not as high as the picture; what `bands` and `output` throw.
 */
export async function writePng(
  output: Pick<Output, 'write'>,
  { width, height, text }: PngPicture,
  bands: AsyncIterable<Uint8ClampedArray>,
): Promise<void> {
  const header = pngHeader({ width, height, channels: 3, text });
  await pipeline(filtered(bands, width, height), createDeflate(DEFLATE), async (pieces) => {
    let begun = false;
    for await (const data of inSizes(pieces, MAX_DATA_BYTES)) {
      if (!begun) for (const part of header) await output.write(part);
      begun = true;
      for (const part of dataChunks(data)) await output.write(part);
    }
  });
  await output.write(pngEnd());
}

async function* filtered(
  bands: AsyncIterable<Uint8ClampedArray>,
  width: number,
  height: number,
): AsyncGenerator<Uint8Array> {
  let above: Uint8ClampedArray | undefined;
  let rows = 0;
  for await (const band of bands) {
    yield filterRows(band, width, 3, above);
    above = band.slice(-4 * width);
    rows += band.length / (4 * width);
  }
  if (rows === height) return;
  throw new OptionError(`PNG: expected ${height} rows of ${width} pixels, got ${rows}`);
}

/** The same bytes in pieces of one size, but for the last: a stream's own depend on its timing. */
async function* inSizes(pieces: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  let length = 0;
  for await (const piece of pieces) {
    parts.push(piece);
    length += piece.length;
    if (length < size) continue;
    const bytes = Buffer.concat(parts);
    const whole = length - (length % size);
    for (let at = 0; at < whole; at += size) yield bytes.subarray(at, at + size);
    parts = [bytes.subarray(whole)];
    length -= whole;
  }
  if (length > 0) yield Buffer.concat(parts);
}
