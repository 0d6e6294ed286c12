/** Completing a picture: an image begins with the tokens of its upper rows, and the rest is drawn. */
import type { Picture } from '../engine/images.ts';
import { OptionError } from '../errors.ts';
import type { ModelJson } from '../models/model-json.ts';
import { downsampleOf } from '../models/vq-config.ts';
import { integer } from '../options.ts';
import { cover } from './cover.ts';
import type { RgbaImage } from './grid.ts';

/**
 * @param name What the number of rows is called.
 * @throws OptionError unless at least one row is kept, and one is drawn.
 */
export function assertKeepRows(
  name: string,
  keepRows: unknown,
  { gpt: { gridSize } }: Pick<ModelJson, 'gpt'>,
): void {
  if (integer(1, gridSize - 1)(keepRows) === undefined) return;
  throw new OptionError(
    `${name} expected a number from 1 to ${gridSize - 1}, got ${keepRows}: a grid of this model has ${gridSize} rows, and one at least is drawn`,
  );
}

/**
 * A picture in the size of a model's images: its middle, where it has another shape.
 * @throws OptionError when it is no picture.
 */
export function fitted(image: RgbaImage, { gpt, vq }: Pick<ModelJson, 'gpt' | 'vq'>): Picture {
  const { length } = Object(image.rgba) as ArrayLike<number>;
  const isWhole = integer(1)(image.width) === undefined && integer(1)(image.height) === undefined;
  if (!isWhole || length !== 4 * image.width * image.height) {
    throw new OptionError(
      `the picture expected 4 bytes for each of its ${image.width} x ${image.height} pixels, got ${length}`,
    );
  }
  const side = gpt.gridSize * downsampleOf(vq);
  const { width, height, rgba } = cover(image, side, side);
  return { width, height, rgba: Uint8ClampedArray.from(rgba) };
}
