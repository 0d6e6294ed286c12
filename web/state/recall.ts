/** Makes a picture of a link or a file again. */
import { effect, type Signal, signal } from '@preact/signals';
import type { ModelSource, ModelView } from '../../src/web/worker/index.ts';
import { announce } from './announce.ts';
import { draw, drawAwaited, halt } from './drawing.ts';
import { find } from './gallery.ts';
import { type Note, offer } from './offer.ts';
import { problemOf } from './problem.ts';
import { classOf, fromHash, type PartOfRecipe } from './recipe.ts';
import { model, problem, SHIPPED } from './session.ts';
import { change, ownSampling, type Settings } from './settings.ts';
import { show } from './stage.ts';

/** What a user should know of a picture that was asked for by a link or a file. */
export const recallNote: Signal<Note | undefined> = signal(undefined);

/** Follows the page's address: now, and when the user changes it. */
export async function followAddress(): Promise<void> {
  addEventListener('hashchange', () => void recallAddress());
  await recallAddress();
}

async function recallAddress(): Promise<void> {
  recallNote.value = undefined;
  if (location.hash.length < 2) return;
  const { recipe, wrong } = fromHash(location.hash);
  if (wrong.length > 0) {
    const text = `Parts of this link are broken and were left out: ${wrong.join(', ')}.`;
    recallNote.value = { text };
  }
  const here = find(recipe);
  if (here && (recipe.count ?? 1) === 1) {
    await halt();
    await show(here);
  }
  if (recipe.model === undefined && recipe.hub === undefined) return;
  await recall(recipe, here ? 'drawn' : 'now');
}

/** Whether a picture is drawn at once, when the user says so, or is here already. */
type Draws = 'now' | 'later' | 'drawn';

/**
 * Takes the settings of a recipe.
 * @param draws Its seed is fixed for pictures that are drawn later.
 */
export async function recall(recipe: PartOfRecipe, draws: Draws): Promise<void> {
  const view = model.value;
  if (!view || view.name !== recipe.model) {
    waiting = { recipe, draws };
    if (view) offerModel(recipe);
    return;
  }
  waiting = undefined;
  const { seed } = recipe;
  if (draws === 'now' && seed !== undefined) {
    // What is being drawn gives way to what was asked for last.
    const call = ++calls;
    await halt();
    if (call !== calls) return;
  }
  if (!takeSettings({ ...recipe, seed: draws === 'later' ? seed : undefined }, view)) return;
  compare(recipe, view);
  if (draws === 'now' && seed !== undefined) await draw(seed);
}

/** Counts pictures that are to be drawn at once. */
let calls = 0;
let waiting: { readonly recipe: PartOfRecipe; readonly draws: Draws } | undefined;

// Once a model is there, and settings that suit it: what waits for it, and then what was to be drawn by it.
effect(() => {
  if (model.value) queueMicrotask(() => void goOn());
});

async function goOn(): Promise<void> {
  if (waiting) await recall(waiting.recipe, waiting.draws);
  await drawAwaited();
}

/** No model is fetched for a link without being asked for: it may be large. */
function offerModel({ model: name, hub }: PartOfRecipe): void {
  const from = hub !== undefined ? { hub } : SHIPPED.get(name ?? '');
  const ask = async (source: ModelSource): Promise<void> => {
    try {
      await offer(source, hub ?? name ?? '', (note) => {
        recallNote.value = note;
      });
    } catch (error) {
      problem.value = problemOf(error, 'model');
    }
  };
  recallNote.value = from
    ? {
        text: `This picture was drawn by the model ${hub ?? name}.`,
        action: { label: `Load ${hub ?? name}`, run: () => void ask(from) },
      }
    : { text: `This picture was drawn by the model ${name}, which is not here: open its files.` };
}

function takeSettings(recipe: PartOfRecipe, view: ModelView): boolean {
  const { prompt, seed, count = 1, given } = recipe;
  const own = ownSampling(view);
  const classIndex = classOf(recipe, view);
  if (view.modelType === 'c2i' && classIndex === undefined) {
    recallNote.value = { text: `The model ${view.name} has no class "${recipe.class}".` };
    return false;
  }
  const asked: Partial<Settings> = {
    cfgScale: recipe.cfgScale ?? own.cfgScale,
    cfgInterval: recipe.cfgInterval ?? own.cfgInterval,
    temperature: recipe.temperature ?? own.temperature,
    topK: recipe.topK ?? own.topK,
    topP: recipe.topP ?? own.topP,
    greedy: recipe.greedy ?? own.greedy,
    ...{ seed, count },
    beginning: given ? { tokens: given } : undefined,
  };
  change({ ...asked, ...(classIndex !== undefined && { classIndex }), prompt: prompt ?? '' });
  announce('Settings of the picture were taken over');
  return true;
}

/** Says when pixels may differ here. */
function compare({ fingerprint }: PartOfRecipe, { fingerprint: here }: ModelView): void {
  if (!fingerprint || fingerprint.digest === here.digest) return;
  recallNote.value = {
    text: `It was drawn on another kind of device (${fingerprint.digest}, and this is ${here.digest}): here it may differ in details.`,
  };
}
