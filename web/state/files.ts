/** Files that are dropped or opened: pictures and models. */
import { type Signal, signal } from '@preact/signals';
import { readMade } from '../../src/picture/made.ts';
import { readPngFacts } from '../../src/web/png.ts';
import { announce } from './announce.ts';
import { halt } from './drawing.ts';
import { find, keep } from './gallery.ts';
import { pixelsOf } from './pixels.ts';
import { type Problem, problemOf } from './problem.ts';
import { recall, recallNote } from './recall.ts';
import { type PartOfRecipe, type Recipe, recipeOfMade, SHIPPED_ROWS } from './recipe.ts';
import { load, model } from './session.ts';
import { cannotComplete, change } from './settings.ts';
import { show } from './stage.ts';

/** Why a file cannot be used. */
export const fileProblem: Signal<Problem | undefined> = signal(undefined);

/** Ends of the names of files that models consist of. */
export const MODEL_FILES = ['.safetensors', '.pt', '.pth', '.bin', '.json'] as const;

/** Takes files of any kind: a picture to make again or to complete, or a model. */
export async function takeFiles(files: readonly File[]): Promise<void> {
  fileProblem.value = undefined;
  const [first] = files;
  if (!first) return;
  try {
    const isModel = ({ name }: File): boolean =>
      MODEL_FILES.some((end) => name.toLowerCase().endsWith(end));
    if (files.every(isModel)) {
      await load({ files });
    } else if (files.length > 1) {
      throw new Error('Drop one picture, or the files of one model, at a time');
    } else if (
      first.type.startsWith('image/') ||
      /\.(png|jpe?g|webp|gif|avif)$/i.test(first.name)
    ) {
      await takePicture(first);
    } else {
      throw new Error(
        `${first.name} is no picture, and no model: those end in ${MODEL_FILES.join(', ')}`,
      );
    }
  } catch (error) {
    fileProblem.value = problemOf(error, 'file');
  }
}

/** A picture of this project gives its settings back; any other one is the beginning of the next. */
async function takePicture(file: File): Promise<void> {
  const isPng = file.type === 'image/png' || /\.png$/i.test(file.name);
  if (isPng) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    const made = readMade((await readPngFacts(file.name, bytes)).text);
    const recipe = made && recipeOfMade(made);
    if (recipe?.seed !== undefined) return restore(file, recipe, made?.images.length ?? 1);
  }
  await completeFrom(file);
}

async function restore(file: File, recipe: PartOfRecipe, images: number): Promise<void> {
  await halt();
  if (images === 1) await show(find(recipe) ?? (await keepFile(file, recipe)));
  recallNote.value = undefined;
  await recall(recipe, 'later');
  const text =
    images === 1
      ? 'The settings of this picture are back: draw it again, or change them.'
      : `This is a sheet of ${images} pictures: the settings are those of its first.`;
  recallNote.value ??= {
    text,
    action: { label: 'Complete it instead', run: () => void takeAsBeginning(file) },
  };
}

async function keepFile(file: File, recipe: PartOfRecipe): ReturnType<typeof keep> {
  const { width, height } = await pixelsOf(file);
  const whole: Recipe = {
    ...{ model: '', seed: 0, cfgScale: 1, cfgInterval: -1, temperature: 1 },
    ...{ topK: 0, topP: 1, greedy: false },
    ...Object.fromEntries(Object.entries(recipe).filter(([, value]) => value !== undefined)),
  };
  const png = new Blob([await file.arrayBuffer()], { type: 'image/png' });
  return keep({ recipe: whole, png, width, height, madeAt: Date.now() });
}

async function takeAsBeginning(file: Blob): Promise<void> {
  try {
    await completeFrom(file);
  } catch (error) {
    fileProblem.value = problemOf(error, 'file');
  }
}

/** Begins the next picture with the upper rows of this one. */
export async function completeFrom(file: Blob): Promise<void> {
  const view = model.value;
  if (view && !view.canComplete) {
    throw new Error(cannotComplete(view));
  }
  const picture = await pixelsOf(file).catch((cause: unknown) => {
    throw new Error('This browser cannot read the picture: it may be damaged', { cause });
  });
  const rows = model.value?.gridSize ?? SHIPPED_ROWS;
  recallNote.value = undefined;
  change({ beginning: { picture, keepRows: Math.max(1, Math.round(rows / 2)) }, seed: undefined });
  announce('The next picture begins with this one');
}
