/** Pictures under way. */
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { pictureText } from '../../src/picture/made.ts';
import { encodePng } from '../../src/web/png.ts';
import type { DrawEvent, DrawRequest, ModelView } from '../../src/web/worker/index.ts';
import { announce } from './announce.ts';
import { keep } from './gallery.ts';
import { type Problem, problemOf } from './problem.ts';
import { madeOf, type Recipe, toHash } from './recipe.ts';
import { adapter, client, model, modelSource } from './session.ts';
import { type Settings, settings, subjectOf } from './settings.ts';
import { clear, put, tiles } from './stage.ts';

/** What is drawn together. */
interface Run {
  readonly subject: string;
  /** Tokens of all its pictures. */
  readonly total: number;
  /** Tokens a second of all of them; undefined before there are any. */
  readonly rate?: number | undefined;
}

const running: Signal<Run | undefined> = signal(undefined);
/** The run under way. */
export const run: ReadonlySignal<Run | undefined> = running;
/** Why the last run failed. */
export const drawProblem: Signal<Problem | undefined> = signal(undefined);
/** What a prompt had no room for. */
export const cutPrompt: Signal<string | undefined> = signal(undefined);

const MAX_SEED = 2 ** 32;
let stopping: AbortController | undefined;

/** Stops what is being drawn; what is finished stays. */
export function stop(): void {
  stopping?.abort(new DOMException('stopped by the user', 'AbortError'));
}

/** Draws what is asked for. */
export async function draw(
  seed: number = settings.value.seed ?? Math.floor(Math.random() * MAX_SEED),
): Promise<void> {
  const view = model.value;
  if (!view || running.value) return;
  const asked = settings.value;
  const recipes = Array.from({ length: asked.count }, (_, i) => recipeOf(view, asked, seed + i));
  const controller = new AbortController();
  stopping = controller;
  const follow = follower(begin(view, asked, recipes));
  try {
    const worker = await client();
    await Promise.all(
      recipes.map(async (recipe, i) => {
        const request = requestOf(view, asked, recipe);
        const started = performance.now();
        const { signal } = controller;
        for await (const event of worker.draw(request, { signal })) {
          follow(i, event);
          if (event.type === 'image') await finish(i, event, performance.now() - started);
        }
      }),
    );
    announce(`Finished: ${subjectOf(asked, view)}`);
  } catch (error) {
    fail(error, controller.signal.aborted);
  } finally {
    // One that failed takes the others with it.
    controller.abort();
    running.value = undefined;
  }
}

function recipeOf(view: ModelView, asked: Settings, seed: number): Recipe {
  const { classIndex, prompt, beginning } = asked;
  const { cfgScale, cfgInterval, temperature, topK, topP, greedy } = asked;
  const { name, fingerprint, classNames } = view;
  const source = modelSource.value;
  return {
    model: name,
    hub: 'hub' in source ? source.hub : undefined,
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
    prefix: given,
    from:
      beginning && 'picture' in beginning
        ? { ...beginning.picture, keepRows: beginning.keepRows }
        : undefined,
  };
}

/** @returns Tokens of all pictures. */
function begin(view: ModelView, asked: Settings, recipes: readonly Recipe[]): number {
  const [first] = recipes;
  const name = subjectOf(asked, view);
  clear(recipes);
  const total = view.gridSize ** 2 * recipes.length;
  running.value = { subject: name, total };
  drawProblem.value = undefined;
  cutPrompt.value = undefined;
  if (first) address({ ...first, count: recipes.length });
  announce(`Drawing ${name}${recipes.length > 1 ? `, ${recipes.length} pictures` : ''}`);
  return total;
}

/** The page's own address is a link to what it shows. */
export function address(recipe: Recipe): void {
  history.replaceState(null, '', `#${toHash(recipe)}`);
}

/** Takes the events of all tiles. */
function follower(total: number): (place: number, event: DrawEvent) => void {
  let first: { readonly at: number; readonly done: number } | undefined;
  let quarter = 0;
  const count = (): void => {
    const done = tiles.value.reduce((sum, tile) => sum + tile.done, 0);
    const at = performance.now();
    first ??= { at, done };
    if (running.value && at > first.at) {
      running.value = { ...running.value, rate: ((done - first.done) / (at - first.at)) * 1000 };
    }
    const reached = Math.floor((4 * done) / total);
    if (reached > quarter && reached < 4) announce(QUARTERS[reached] ?? '');
    quarter = Math.max(quarter, reached);
  };
  return (place, event) => {
    switch (event.type) {
      case 'started':
        put(place, { state: 'drawing' });
        break;
      case 'prompt':
        cutPrompt.value = event.cut;
        break;
      case 'prefix': {
        const recipe = tiles.value[place]?.recipe;
        if (recipe) put(place, { recipe: { ...recipe, given: [...event.tokens] } });
        break;
      }
      case 'tokens':
        put(place, { done: event.done });
        count();
        break;
      case 'preview':
        put(place, { now: event.picture });
        break;
    }
  };
}

const QUARTERS = ['', 'A quarter', 'Half', 'Three quarters'] as const;

type ImageEvent = Extract<DrawEvent, { type: 'image' }>;

/** Shows and keeps a picture. */
async function finish(place: number, event: ImageEvent, ms: number): Promise<void> {
  const { picture, passes, tokens } = event;
  const recipe = tiles.value[place]?.recipe;
  if (!picture || !recipe) return;
  put(place, { now: picture, done: tokens.length, state: 'done', before: undefined });
  if (recipe.given && tiles.value.length === 1) address(recipe);
  const png = await encodePng(picture, pictureText(madeOf(recipe, adapter.value?.description)));
  const kept = await keep({
    recipe,
    png: new Blob([png], { type: 'image/png' }),
    ...{ width: picture.width, height: picture.height, passes, tokens: tokens.length },
    madeAt: Date.now(),
    seconds: ms / 1000,
  });
  put(place, { kept });
}

function fail(error: unknown, stopped: boolean): void {
  tiles.value = tiles.value.map((tile) =>
    tile.state === 'done' ? tile : { ...tile, state: 'stopped' },
  );
  // A stop by the user is no error.
  if (stopped) announce('Stopped');
  else drawProblem.value = problemOf(error, 'drawing', () => draw(tiles.value[0]?.recipe.seed));
}
