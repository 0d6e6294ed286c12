/** Tiles equal-sized images into one sheet, whole or band by band. */
import { OptionError } from '../errors.ts';
import { drawLabel, labelStyle } from './labels.ts';
import { checkScale, enlarger } from './resample.ts';

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
  /** Pixels between tiles, none around them. Default 2, with labels 6, times the scale. */
  readonly gap?: number | undefined;
  /** Colour of gaps and empty places, as `[red, green, blue, alpha]`. Default white. */
  readonly background?: readonly [number, number, number, number] | undefined;
  /** How many times as wide and high the images become, 1 to 8, by Lanczos' filter. Default 1. */
  readonly scale?: number | undefined;
  /** A text below each image, with line feeds between its lines. Default none. */
  readonly labels?: readonly string[] | undefined;
}

/** Largest band of a sheet: 64 images of 512x512, enlarged twice, take 270 MB. */
const MAX_BAND_BYTES = 2 ** 30;

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
  const { count, width, height, scale = 1, labels } = options;
  const { columns, rows, imagesOf } = placesOf(options);
  checkScale(scale);
  const { gap = Math.round((labels ? 6 : 2) * scale) } = options;
  check('gap', gap, 0);
  if (labels && labels.length !== count) {
    throw new OptionError(`sheet: "labels" expected ${count}, one an image, got ${labels.length}`);
  }
  const tile = { width: Math.round(width * scale), height: Math.round(height * scale) };
  const enlarge = scale === 1 ? undefined : enlarger({ width, height }, tile);
  const background = Uint8ClampedArray.from(options.background ?? [255, 255, 255, 255]);
  const [red = 0, green = 0, blue = 0] = background;
  const style = labels && labelStyle(labels, tile.width, [red, green, blue]);
  const bandHeight = tile.height + (style?.height ?? 0);
  const sheetWidth = columns * (tile.width + gap) - gap;
  checkBand(sheetWidth, bandHeight + gap);
  return {
    width: sheetWidth,
    height: rows * (bandHeight + gap) - gap,
    columns,
    rows,
    imagesOf,
    strip(row, images) {
      const [first, end] = imagesOf(row);
      checkImages(images, first, end, width, height);
      const rgba = filled(sheetWidth, bandHeight + (row < rows - 1 ? gap : 0), background);
      for (const [i, image] of images.entries()) {
        const left = i * (tile.width + gap);
        put(enlarge?.(image) ?? image, rgba, sheetWidth, left);
        const place = { left, top: tile.height, width: tile.width };
        const label = labels?.[first + i] ?? '';
        if (style) drawLabel({ width: sheetWidth, rgba }, label, style, place);
      }
      return rgba;
    },
  };
}

/** Which image is where. */
function placesOf(options: SheetOptions): Pick<Sheet, 'columns' | 'rows' | 'imagesOf'> {
  const { count, width, height, group = count } = options;
  check('count', count, 1);
  check('width', width, 1);
  check('height', height, 1);
  check('group', group, 1);
  const { columns = fittingColumns(Math.min(group, count)) } = options;
  check('columns', columns, 1);
  const across = Math.min(columns, group, count);
  const rowsOfGroup = Math.ceil(group / across);
  const whole = Math.floor((count - 1) / group);
  return {
    columns: across,
    rows: whole * rowsOfGroup + Math.ceil((count - whole * group) / across),
    imagesOf: (row) => {
      const begin = Math.floor(row / rowsOfGroup) * group;
      const first = begin + (row % rowsOfGroup) * across;
      return [first, Math.min(first + across, begin + group, count)];
    },
  };
}

function checkBand(width: number, height: number): void {
  const bytes = 4 * width * height;
  if (bytes <= MAX_BAND_BYTES) return;
  throw new OptionError(
    `a row of the sheet would be ${width}x${height} pixels, ${(bytes / 1e9).toFixed(1)} GB, and ${(MAX_BAND_BYTES / 1e9).toFixed(1)} GB is the most: ask for fewer columns, a smaller scale or images in files of their own`,
  );
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
