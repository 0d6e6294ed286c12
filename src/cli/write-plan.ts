/** Where the pictures of a run go and how they look: settled before anything is loaded. */

import type { ModelJson } from '../index.ts';
import { downsampleOf } from '../models/vq-config.ts';
import { type GridOptions, type Sheet, sheetOf } from '../picture/grid.ts';
import { type MadeImage, madeImage } from '../picture/made.ts';
import { checkDestinations, type Destinations, type Sources } from './destinations.ts';
import { assertSheetFits, pictureName } from './pictures.ts';
import { type LookOptions, sheetLook } from './sheet-look.ts';

interface CommonPlan {
  readonly tokensOut: string | undefined;
  readonly images: readonly MadeImage[];
  readonly look: GridOptions;
  /** Rows of each token grid. */
  readonly gridSize: number;
}

/** All images in one file. */
export interface SheetPlan extends CommonPlan {
  readonly out: string;
  readonly sheet: Sheet;
}

/** Each in a file of a folder. */
export interface FolderPlan extends CommonPlan {
  readonly outDir: string;
  /** Of the files. */
  readonly names: readonly string[];
}

export type WritePlan = SheetPlan | FolderPlan;

/** What a command was asked for. */
export interface PlanOptions extends Destinations, Sources, LookOptions {
  readonly out: string;
}

/** An image that is asked for. */
export interface PlannedImage {
  /** Class index, or a text. */
  readonly condition: number | string;
  readonly seed: number;
}

/** @throws OptionError when a destination cannot be used, or a sheet would be too large. */
export function planOf(
  options: PlanOptions,
  { classNames, gpt, vq }: ModelJson,
  planned: readonly PlannedImage[],
): WritePlan {
  const { outDir, out, tokensOut, scale } = options;
  const { gridSize } = gpt;
  const count = planned.length;
  const side = gridSize * downsampleOf(vq);
  const images = planned.map(({ condition, seed }) => madeImage(condition, seed, classNames));
  const look = sheetLook(images, options, side);
  const names = images.map((image, i) => pictureName(i, count, image));
  const destinations = { ...options, out: outDir === undefined ? out : undefined };
  checkDestinations(destinations, options, outDir === undefined ? [] : names);
  const common = { tokensOut, images, look, gridSize };
  if (outDir !== undefined) return { ...common, outDir, names };
  const sheet = sheetOf({ count, width: side, height: side, ...look });
  const smaller = scale > 1 ? ', or a smaller --scale' : '';
  assertSheetFits(sheet, count, `use --out-dir, or fewer images${smaller}`);
  return { ...common, out, sheet };
}
