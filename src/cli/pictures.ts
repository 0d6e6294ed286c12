/** Pictures to files, as they come: each in a file of its own, or all as one sheet. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { OptionError } from '../errors.ts';
import { writeFileAtomic } from '../node/output.ts';
import { encodePng } from '../node/png.ts';
import { writePng } from '../node/png-stream.ts';
import type { RgbaImage, Sheet } from '../picture/grid.ts';
import type { MadeImage } from '../picture/made.ts';
import type { PngText } from '../picture/png-format.ts';
import { outputOf } from './destinations.ts';
import type { Report } from './report.ts';

/** Longest part of a file name that comes from a class or a text. */
const MAX_SLUG_CHARS = 60;

/** Many programs cannot open a picture with a longer side; JPEG has none. */
const MAX_SIDE = 65_535;
/** Four bytes each, in a buffer of 2 GiB: more than most programs that open pictures can hold. */
const MAX_PIXELS = 2 ** 29 - 1;

/** The file of one image among `count`: `{index}-{name}-{seed}.png`, so that names sort like images. */
export function pictureName(index: number, count: number, image: MadeImage): string {
  const number = String(index).padStart(String(count - 1).length, '0');
  const [name, otherwise] =
    'prompt' in image ? [image.prompt, 'text'] : [image.className, `${image.class}`];
  return `${number}-${slugOf(name) || otherwise}-${image.seed}.png`;
}

const slugOf = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, MAX_SLUG_CHARS)
    .replace(/-$/, '');

/** @throws OptionError when few programs could open a sheet. */
export function assertSheetFits({ width, height }: Sheet, count: number, remedy: string): void {
  if (Math.max(width, height) <= MAX_SIDE && width * height <= MAX_PIXELS) return;
  throw new OptionError(
    `--out: the sheet of ${count} images would have ${width} x ${height} pixels, and few programs open more than ${MAX_SIDE} on a side or ${MAX_PIXELS} in all: ${remedy}`,
  );
}

export interface SheetOutput {
  /** Where the sheet goes, as it was given. */
  readonly out: string;
  readonly sheet: Sheet;
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly text?: PngText | undefined;
}

/**
 * Writes pictures as a sheet, band by band as the last of each band comes. The file appears at the
 * end, and not once the user has asked to stop.
 */
export async function writeSheet(
  { out, sheet, report, signal, text }: SheetOutput,
  pictures: AsyncIterable<RgbaImage>,
): Promise<void> {
  const { width, height } = sheet;
  const output = outputOf(out, report);
  try {
    await writePng(output, { width, height, text }, bandsOf(sheet, pictures));
    signal.throwIfAborted();
    await output.commit();
  } finally {
    output.discard();
  }
}

async function* bandsOf(
  sheet: Sheet,
  pictures: AsyncIterable<RgbaImage>,
): AsyncGenerator<Uint8ClampedArray> {
  let row = 0;
  let images: RgbaImage[] = [];
  for await (const picture of pictures) {
    images.push(picture);
    const [first, end] = sheet.imagesOf(row);
    if (images.length < end - first) continue;
    yield sheet.strip(row++, images);
    images = [];
  }
}

/** Writes one picture into a folder, which is made if it is not there. Nothing comes between. */
export function writePicture(
  folder: string,
  name: string,
  image: RgbaImage,
  text?: PngText,
): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileAtomic(path, encodePng(image, { text }));
  return path;
}
