/** Tiles equal-sized images into one sheet, whole or band by band. */
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
  readonly columns?: number | undefined;
  /** Every so many images begin a new row, such as the images of a class. Default: none do. */
  readonly group?: number | undefined;
  /** Pixels between tiles, none around them. Default 2. */
  readonly gap?: number | undefined;
  /** Colour of gaps and empty places, as `[red, green, blue, alpha]`. Default white. */
  readonly background?: readonly [number, number, number, number] | undefined;
}

export interface SheetOptions extends GridOptions {
  /** Images of the sheet. */
  readonly count: number;
  /** Pixels of each. */
  readonly width: number;
  readonly height: number;
}

/** A sheet of images that need not be in memory together. */
export interface Sheet {
  /** Pixels of the whole sheet. */
  readonly width: number;
  readonly height: number;
  /** Places beside each other, and bands below each other. */
  readonly columns: number;
  readonly rows: number;
  /** The images of a band: from `first` up to but not including `end`. */
  imagesOf(row: number): readonly [first: number, end: number];
  /**
   * The pixels of a band, u8 [bandHeight, width, 4]: its images and the gap below them, which the
   * last band lacks. All bands in turn are the sheet.
   * @param images Those of `imagesOf(row)`.
   * @throws OptionError when there are fewer or more of them, or one has another size.
   */
  strip(row: number, images: readonly RgbaImage[]): Uint8ClampedArray<ArrayBuffer>;
}

/**
 * Puts images side by side, row by row. One image alone comes out as it is.
 * @throws OptionError when there is no image or the sizes differ.
 */
export function imageGrid(images: readonly RgbaImage[], options: GridOptions = {}): RgbaImage {
  const [first] = images;
  if (!first) throw new OptionError('imageGrid: expected at least one image, got none');
  const sheet = sheetOf({
    ...options,
    count: images.length,
    width: first.width,
    height: first.height,
  });
  const rgba = new Uint8ClampedArray(4 * sheet.width * sheet.height);
  let at = 0;
  for (let row = 0; row < sheet.rows; row++) {
    const strip = sheet.strip(row, images.slice(...sheet.imagesOf(row)));
    rgba.set(strip, at);
    at += strip.length;
  }
  return { width: sheet.width, height: sheet.height, rgba };
}

/**
 * Lays out a sheet of `count` images of `width` x `height` pixels.
 * @throws OptionError that names the option which is out of range.
 */
export function sheetOf(options: SheetOptions): Sheet {
  const { count, width, height, group = count, gap = 2 } = options;
  check('count', count, 1);
  check('width', width, 1);
  check('height', height, 1);
  check('group', group, 1);
  check('gap', gap, 0);
  const { columns = fittingColumns(Math.min(group, count)) } = options;
  check('columns', columns, 1);
  const across = Math.min(columns, group, count);
  const rowsOfGroup = Math.ceil(group / across);
  const groups = Math.floor((count - 1) / group);
  const rows = groups * rowsOfGroup + Math.ceil((count - groups * group) / across);
  const sheetWidth = across * (width + gap) - gap;
  const background = Uint8ClampedArray.from(options.background ?? [255, 255, 255, 255]);

  const imagesOf = (row: number): readonly [number, number] => {
    const begin = Math.floor(row / rowsOfGroup) * group;
    const first = begin + (row % rowsOfGroup) * across;
    return [first, Math.min(first + across, begin + group, count)];
  };
  return {
    width: sheetWidth,
    height: rows * (height + gap) - gap,
    columns: across,
    rows,
    imagesOf,
    strip(row, images) {
      const [first, end] = imagesOf(row);
      checkImages(images, first, end, width, height);
      const rgba = filled(sheetWidth, row === rows - 1 ? height : height + gap, background);
      for (const [i, image] of images.entries()) {
        put(image, rgba, sheetWidth, i * (width + gap));
      }
      return rgba;
    },
  };
}

function checkImages(
  images: readonly RgbaImage[],
  first: number,
  end: number,
  width: number,
  height: number,
): void {
  if (images.length !== end - first) {
    throw new OptionError(
      `sheet: expected the images ${first} to ${end - 1}, got ${images.length} of them`,
    );
  }
  for (const [i, image] of images.entries()) {
    if (image.width === width && image.height === height) continue;
    throw new OptionError(
      `sheet: image ${first + i} expected ${width}x${height} like the first, got ${image.width}x${image.height}`,
    );
  }
}

function filled(width: number, height: number, colour: Uint8ClampedArray<ArrayBuffer>) {
  const pixels = new Uint32Array(width * height);
  const [pixel = 0] = new Uint32Array(colour.buffer);
  return new Uint8ClampedArray(pixels.fill(pixel).buffer);
}

/** Copies an image to the top of a band, `left` pixels from its left. */
function put(image: RgbaImage, band: Uint8ClampedArray, bandWidth: number, left: number): void {
  const bytes = 4 * image.width;
  for (let y = 0; y < image.height; y++) {
    band.set(image.rgba.subarray(bytes * y, bytes * (y + 1)), 4 * (bandWidth * y + left));
  }
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
  throw new OptionError(`sheet: "${name}" expected an integer >= ${least}, got ${value}`);
}
