/** Pictures under way. */
import { effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { pictureText } from '../../src/picture/made.ts';
import { encodePng } from '../../src/web/png.ts';
import type { DrawEvent, DrawRequest, ModelView } from '../../src/web/worker/index.ts';
import { announce } from './announce.ts';
import { keep } from './gallery.ts';
import { type Problem, problemOf } from './problem.ts';
import { hubName, madeOf, type Recipe, toHash, tokensDrawn } from './recipe.ts';
import { adapter, askForModel, client, hasOrAwaitsModel, model } from './session.ts';
import { type Beginning, type Settings, settings, subjectOf } from './settings.ts';
import { clear, put, tiles } from './stage.ts';

/** What is drawn together. */
interface Run {
  readonly subject: string;
  /** Tokens of all its pictures. */
  readonly total: number;
  /** Those that are known. */
  readonly done: number;
  /** Tokens a second of all of them; undefined before there are any. */
  readonly rate?: number | undefined;
  /** Tokens a pass; more than one where guesses are right. */
  readonly perPass?: number | undefined;
}

/** A picture of a run. What it is does not change by what else is put on the stage. */
interface Sheet {
  /** Of its tile. */
  readonly id: number;
  recipe: Recipe;
  done: number;
  passes: number;
}

const running: Signal<Run | undefined> = signal(undefined);
/** The run under way. */
export const run: ReadonlySignal<Run | undefined> = running;
/** Why the last run failed. */
export const drawProblem: Signal<Problem | undefined> = signal(undefined);
/** Whether a picture was asked for without a prompt, of a model of texts. */
export const lacksPrompt: Signal<boolean> = signal(false);
/** What a prompt had no room for. */
export const cutPrompt: Signal<string | undefined> = signal(undefined);

const MAX_SEED = 2 ** 32;
let stopping: AbortController | undefined;
let ended: Promise<void> = Promise.resolve();

/** Stops what is being drawn; what is finished stays. */
export function stop(): void {
  if (awaiting.value) announce('Nothing is drawn');
  awaiting.value = false;
  stopping?.abort(new DOMException('stopped by the user', 'AbortError'));
}

/** Stops what is being drawn, and waits until something else can be. */
export async function halt(): Promise<void> {
  if (!running.value) return;
  stop();
  await ended;
}

const awaiting = signal(false);
/** Whether a picture was asked for that waits for the model. */
export const awaitsModel: ReadonlySignal<boolean> = awaiting;
effect(() => {
  if (!hasOrAwaitsModel.value) awaiting.value = false;
});

/** Draws what was asked for before the model was there. */
export async function drawAwaited(): Promise<void> {
  if (awaiting.value) await draw();
}

/** Draws what is asked for; where the model is on its way, once it is there. */
export async function draw(
  seed: number = settings.value.seed ?? Math.floor(Math.random() * MAX_SEED),
): Promise<void> {
  const view = model.value;
  if (running.value) return;
  if (!view) {
    awaiting.value = hasOrAwaitsModel.value;
    if (awaiting.value) announce('Drawing begins once the model is there');
    return;
  }
  awaiting.value = false;
  lacksPrompt.value = view.modelType === 't2i' && settings.value.prompt.trim() === '';
  if (lacksPrompt.value) return;
  ended = drawAll(view, settings.value, seed);
  await ended;
}

async function drawAll(view: ModelView, asked: Settings, seed: number): Promise<void> {
  const recipes = Array.from({ length: asked.count }, (_, i) => recipeOf(view, asked, seed + i));
  const controller = new AbortController();
  const { signal } = controller;
  stopping = controller;
  const sheets = begin(view, asked, recipes);
  const follow = follower(sheets);
  try {
    const worker = await client();
    const drawOne = async (sheet: Sheet, onPrefix: (tokens: Tokens) => void): Promise<void> => {
      const request = requestOf(view, asked, sheet.recipe);
      const started = performance.now();
      for await (const event of worker.draw(request, { signal })) {
        follow(sheet, event);
        if (event.type === 'prefix') onPrefix(event.tokens);
        if (event.type !== 'image') continue;
        await finish(sheet, event, performance.now() - started, sheets.length === 1);
      }
    };
    await drawTogether(sheets, asked.beginning, drawOne);
    announce(`Finished: ${subjectOf(asked, view)}`);
  } catch (error) {
    for (const { id } of sheets) {
      const tile = tiles.value.find((tile) => tile.id === id);
      if (tile && tile.state !== 'done') put(id, { state: 'stopped' });
    }
    // A stop by the user is no error.
    if (signal.aborted) announce('Stopped');
    else {
      drawProblem.value = problemOf(error, 'drawing', () => draw(seed));
      void askForModel();
    }
  } finally {
    // One that failed takes the others with it.
    controller.abort();
    running.value = undefined;
  }
}

type Tokens = Extract<DrawEvent, { type: 'prefix' }>['tokens'];

/** A picture that all begin with is sent and read once: the others begin with the tokens that became of it. */
async function drawTogether(
  sheets: readonly Sheet[],
  beginning: Beginning | undefined,
  drawOne: (sheet: Sheet, onPrefix: (tokens: Tokens) => void) => Promise<void>,
): Promise<void> {
  let onPrefix = (_: Tokens): void => {};
  const prefix = new Promise<Tokens>((resolve) => {
    onPrefix = resolve;
  });
  const waits = beginning !== undefined && 'picture' in beginning;
  await Promise.all(
    sheets.map(async (sheet, i) => {
      if (waits && i > 0) beginWith(sheet, await prefix);
      await drawOne(sheet, onPrefix);
    }),
  );
}

function beginWith(sheet: Sheet, tokens: Tokens): void {
  sheet.recipe = { ...sheet.recipe, given: [...tokens] };
  put(sheet.id, { recipe: sheet.recipe });
}

function recipeOf(view: ModelView, asked: Settings, seed: number): Recipe {
  const { classIndex, prompt, beginning } = asked;
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = asked;
  const { name, source, fingerprint, classNames } = view;
  return {
    model: name,
    hub: 'hub' in source ? hubName(source) : undefined,
    ...(view.modelType === 't2i' ? { prompt } : { classIndex, class: classNames[classIndex] }),
    ...{ seed, cfgScale, cfgInterval, temperature, topK, topP, greedy, fingerprint },
    given: beginning && 'tokens' in beginning ? beginning.tokens : undefined,
  };
}

function requestOf(view: ModelView, { beginning }: Settings, recipe: Recipe): DrawRequest {
  const { classIndex, prompt, seed, given } = recipe;
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = recipe;
  // A preview is a whole run of the decoder of pixels, which on a CPU takes as long as ten tokens.
  const rows = adapter.value?.software ? 3 : 1;
  return {
    ...{ classIndex, prompt, seed, cfgScale, cfgInterval, temperature, topK, topP, greedy },
    previewEvery: rows * view.gridSize,
    fingerprint: view.fingerprint.digest,
    prefix: given,
    from:
      !given && beginning && 'picture' in beginning
        ? { ...beginning.picture, keepRows: beginning.keepRows }
        : undefined,
  };
}

function begin(view: ModelView, asked: Settings, recipes: readonly Recipe[]): readonly Sheet[] {
  const [first] = recipes;
  const name = subjectOf(asked, view);
  const ids = clear(recipes);
  running.value = { subject: name, total: view.gridSize ** 2 * recipes.length, done: 0 };
  drawProblem.value = undefined;
  cutPrompt.value = undefined;
  if (first) address({ ...first, count: recipes.length });
  announce(`Drawing ${name}${recipes.length > 1 ? `, ${recipes.length} pictures` : ''}`);
  return recipes.map((recipe, i) => ({ id: ids[i] ?? -1, recipe, done: 0, passes: 0 }));
}

/** The page's own address is a link to what it shows. */
export function address(recipe: Recipe): void {
  history.replaceState(null, '', `#${toHash(recipe)}`);
}

/** Takes the events of all pictures of a run. */
function follower(sheets: readonly Sheet[]): (sheet: Sheet, event: DrawEvent) => void {
  let first: { readonly at: number; readonly done: number } | undefined;
  let quarter = 0;
  const count = (): void => {
    if (!running.value) return;
    const { total } = running.value;
    const sum = (of: (sheet: Sheet) => number): number =>
      sheets.reduce((all, sheet) => all + of(sheet), 0);
    const done = sum((sheet) => sheet.done);
    const perPass =
      sum(({ done, recipe }) => tokensDrawn(done, recipe)) / sum((sheet) => sheet.passes);
    const at = performance.now();
    first ??= { at, done };
    const rate = at > first.at ? ((done - first.done) / (at - first.at)) * 1000 : undefined;
    running.value = { ...running.value, done, rate, perPass };
    const reached = Math.floor((4 * done) / total);
    if (reached > quarter && reached < 4) announce(QUARTERS[reached] ?? '');
    quarter = Math.max(quarter, reached);
  };
  return (sheet, event) => {
    switch (event.type) {
      case 'started':
        put(sheet.id, { state: 'drawing' });
        break;
      case 'prompt':
        cutPrompt.value = event.cut;
        break;
      case 'prefix':
        beginWith(sheet, event.tokens);
        break;
      case 'tokens':
        sheet.done = event.done;
        sheet.passes = event.passes ?? sheet.passes;
        put(sheet.id, { done: event.done });
        count();
        break;
      case 'preview':
        put(sheet.id, { now: event.picture });
        break;
    }
  };
}

const QUARTERS = ['', 'A quarter', 'Half', 'Three quarters'] as const;

type ImageEvent = Extract<DrawEvent, { type: 'image' }>;

/**
 * Shows and keeps a picture.
 * @param isAlone Whether nothing else is drawn with it, so that it can be the page's address.
 */
async function finish(
  { id, recipe }: Sheet,
  { picture, passes, tokens }: ImageEvent,
  ms: number,
  isAlone: boolean,
): Promise<void> {
  if (!picture) return;
  const shown = { now: picture, done: tokens.length, state: 'done', before: undefined } as const;
  if (put(id, shown) && recipe.given && isAlone) address(recipe);
  const png = await encodePng(picture, pictureText(madeOf(recipe, adapter.value?.description)));
  const kept = await keep({
    recipe,
    png: new Blob([png], { type: 'image/png' }),
    ...{ width: picture.width, height: picture.height, passes, tokens: tokens.length },
    madeAt: Date.now(),
    seconds: ms / 1000,
  });
  put(id, { kept });
}
