/** How sheets look: what is in a row, and what stands below the images. */
import type { GridOptions } from '../picture/grid.ts';
import { classLabel, wrapLabel } from '../picture/labels.ts';
import { type MadeImage, nameOf } from '../picture/made.ts';

/** Options of commands that make sheets. */
export interface LookOptions {
  /** Class or text below each image, and the seed where it has several images. */
  readonly labels?: boolean | undefined;
  /** How many times as wide and high images become. */
  readonly scale: number;
}

/** Most images of a class in one row. */
const MAX_IN_ROW = 64;

/** How much longer than the other a side of a sheet may be, in images. */
const MAX_ASPECT = 16;

/** Most lines of a text below its image. */
const MAX_LINES = 4;

/**
 * How a sheet of images looks that stand class by class, or text by text.
 * @param side Pixels of an image.
 */
export function sheetLook(
  images: readonly MadeImage[],
  { labels = false, scale }: LookOptions,
  side: number,
): GridOptions {
  const perClass = imagesPerClass(images.map(conditionOf));
  const width = Math.round(side * scale);
  return {
    scale,
    ...(perClass > 1 && placesOf(perClass, images.length / perClass)),
    ...(labels && { labels: images.map((image) => labelOf(image, width, perClass > 1)) }),
  };
}

/** How one image of a sheet looks in a file of its own. */
export function imageLook({ scale, labels }: GridOptions, index: number): GridOptions {
  return { scale, ...(labels && { labels: labels.slice(index, index + 1) }) };
}

/**
 * The images of a class go into one row, beside other classes where the sheet would be too high.
 * Classes with so many that it would be too wide begin in rows of their own.
 */
function placesOf(perClass: number, classes: number): Pick<GridOptions, 'columns' | 'group'> {
  if (perClass > Math.min(MAX_IN_ROW, MAX_ASPECT * classes)) return { group: perClass };
  const inRow = classes <= MAX_ASPECT * perClass ? 1 : Math.ceil(Math.sqrt(classes / perClass));
  return { columns: inRow * perClass };
}

/** What neighbours have in common. */
const conditionOf = (image: MadeImage): number | string =>
  'prompt' in image ? image.prompt : image.class;

function labelOf(image: MadeImage, width: number, withSeed: boolean): string {
  const name =
    'prompt' in image
      ? wrapLabel(nameOf(image), width, MAX_LINES)
      : classLabel(image.className, image.class);
  return name + (withSeed ? `\nseed ${image.seed}` : '');
}

/** The largest number of images that every class has, once or several times, in a row. */
function imagesPerClass(classes: readonly (number | string)[]): number {
  const runs: number[] = [];
  for (const [i, label] of classes.entries()) {
    if (label !== classes[i - 1]) runs.push(0);
    runs.push((runs.pop() ?? 0) + 1);
  }
  return runs.reduce(commonDivisor, 0);
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
