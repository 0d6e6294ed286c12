/** How sheets of classes look: what is in a row, and what stands below the images. */
import type { GridOptions } from '../picture/grid.ts';
import { classLabel } from '../picture/labels.ts';
import type { MadeImage } from './picture-text.ts';

/** Options of commands that make sheets. */
export interface LookOptions {
  /** Class below each image, and the seed where classes have several images. */
  readonly labels?: boolean | undefined;
  /** How many times as wide and high images become. */
  readonly scale: number;
}

/** Most images of a class in one row. */
const MAX_IN_ROW = 64;

/** How much longer than the other a side of a sheet may be, in images. */
const MAX_ASPECT = 16;

/** How a sheet of images looks that stand class by class. */
export function sheetLook(
  images: readonly MadeImage[],
  { labels = false, scale }: LookOptions,
): GridOptions {
  const perClass = imagesPerClass(images.map((image) => image.class));
  return {
    scale,
    ...(perClass > 1 && placesOf(perClass, images.length / perClass)),
    ...(labels && { labels: images.map((image) => labelOf(image, perClass > 1)) }),
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

function labelOf({ class: label, className, seed }: MadeImage, withSeed: boolean): string {
  return classLabel(className, label) + (withSeed ? `\nseed ${seed}` : '');
}

/** The largest number of images that every class has, once or several times, in a row. */
function imagesPerClass(classes: readonly number[]): number {
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
