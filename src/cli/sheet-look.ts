/** How sheets of classes look: what is in a row, and what stands below the images. */
import type { GridOptions } from '../generate/grid.ts';
import { classLabel } from '../generate/labels.ts';
import type { MadeImage } from './picture-text.ts';

/** Options of commands that make sheets. */
export interface LookOptions {
  /** Class below each image, and the seed where classes have several images. */
  readonly labels?: boolean;
  /** How many times as wide and high images become. */
  readonly scale?: number;
}

/** Most images of a class in one row, and most of the width of a sheet for its height in images. */
const MAX_IN_ROW = 64;
const MAX_ASPECT = 16;

/**
 * The images of a class, which follow each other, go into one row. Classes with so many that the
 * sheet would be too wide begin in rows of their own.
 */
export function sheetLook(
  images: readonly MadeImage[],
  { labels = false, scale }: LookOptions,
): GridOptions {
  const perClass = imagesPerClass(images.map((image) => image.class));
  const most = Math.min(MAX_IN_ROW, MAX_ASPECT * (images.length / perClass));
  return {
    scale,
    ...(perClass > 1 && (perClass <= most ? { columns: perClass } : { group: perClass })),
    ...(labels && { labels: images.map((image) => labelOf(image, perClass > 1)) }),
  };
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
