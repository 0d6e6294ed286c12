/** Tiles equal-sized images into one sheet. */
import { OptionError } from '../errors.ts';

/** Pixels in rows from the top left, four bytes each: red, green, blue, alpha. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  /** `4 * width * height` bytes, alpha not premultiplied. */
  readonly rgba: Uint8ClampedArray;
}

export interface GridOptions {
  /** Default: from square to four times as wide as high, whichever leaves the fewest empty places. */
  readonly columns?: number;
  /** Pixels between tiles, none around them. Default 2. */
  readonly gap?: number;
  /** Colour of gaps and empty places, as `[red, green, blue, alpha]`. Default white. */
  readonly background?: readonly [number, number, number, number];
}

/**
 * Puts images side by side, row by row. One image alone comes out as it is.
 * @throws OptionError when there is no image or the sizes differ.
 */
export function imageGrid(images: readonly RgbaImage[], options: GridOptions = {}): RgbaImage {
  const [first] = images;
  if (!first) throw new OptionError('imageGrid: expected at least one image, got none');
  const { width, height } = first;
  const { columns = fittingColumns(images.length), gap = 2 } = options;
  check('columns', columns, 1);
  check('gap', gap, 0);
  const across = Math.min(columns, images.length);
  const down = Math.ceil(images.length / columns);
  const sheetWidth = across * (width + gap) - gap;
  const sheetHeight = down * (height + gap) - gap;
  const background = Uint8ClampedArray.from(options.background ?? [255, 255, 255, 255]);
  const rgba = new Uint8ClampedArray(4 * sheetWidth * sheetHeight);
  for (let i = 0; i < rgba.length; i += 4) rgba.set(background, i);
  for (const [i, image] of images.entries()) {
    if (image.width !== width || image.height !== height) {
      throw new OptionError(
        `imageGrid: image ${i} expected ${width}x${height} like the first, got ${image.width}x${image.height}`,
      );
    }
    const left = (i % columns) * (width + gap);
    const top = Math.floor(i / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      const row = image.rgba.subarray(4 * width * y, 4 * width * (y + 1));
      rgba.set(row, 4 * ((top + y) * sheetWidth + left));
    }
  }
  return { width: sheetWidth, height: sheetHeight, rgba };
}

function fittingColumns(count: number): number {
  const most = Math.floor(2 * Math.sqrt(count));
  let best = Math.ceil(Math.sqrt(count));
  for (let columns = best + 1; columns <= most; columns++) {
    if (emptyPlaces(count, columns) < emptyPlaces(count, best)) best = columns;
  }
  return best;
}

function emptyPlaces(count: number, columns: number): number {
  return Math.ceil(count / columns) * columns - count;
}

function check(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new OptionError(`imageGrid: "${name}" expected an integer >= ${least}, got ${value}`);
}
