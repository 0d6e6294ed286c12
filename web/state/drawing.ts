/** Pictures under way. */
import { type Signal, signal } from '@preact/signals';
import type { DrawEvent, DrawRequest, ModelView } from '../../src/web/worker/index.ts';
import { announce } from './announce.ts';
import { type Problem, problemOf } from './problem.ts';
import { adapter, client, model } from './session.ts';
import { type Settings, settings, subjectOf } from './settings.ts';

/** Pixels of a picture, 8-bit RGBA. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

/** A place of the stage. */
export interface Tile {
  readonly seed: number;
  readonly state: 'waiting' | 'drawing' | 'done' | 'stopped';
  /** The picture that was here before, dimmed while the next one is made. */
  readonly before?: Pixels | undefined;
  /** As far as it is drawn; the rest is transparent. */
  readonly now?: Pixels | undefined;
  /** Tokens that are known. */
  readonly done: number;
  /** Passes that it took. */
  readonly passes?: number | undefined;
}

/** What is drawn together. */
export interface Run {
  readonly subject: string;
  readonly total: number;
  /** Tokens a second of all of them; undefined before there are any. */
  readonly rate?: number | undefined;
  readonly seconds?: number | undefined;
}

export const tiles: Signal<readonly Tile[]> = signal([]);
/** The run under way. */
export const run: Signal<Run | undefined> = signal(undefined);
/** Why the last run failed. */
export const drawProblem: Signal<Problem | undefined> = signal(undefined);

const MAX_SEED = 2 ** 32;
let stopping: AbortController | undefined;

/** Stops what is being drawn; what is finished stays. */
export function stop(): void {
  stopping?.abort(new DOMException('stopped by the user', 'AbortError'));
}

/** Draws what is asked for. */
export async function draw(): Promise<void> {
  const view = model.value;
  if (!view || run.value) return;
  const asked = settings.value;
  const seed = asked.seed ?? Math.floor(Math.random() * MAX_SEED);
  stopping = new AbortController();
  begin(view, asked, seed);
  const follow = follower(view, asked);
  try {
    const worker = await client();
    const { signal } = stopping;
    await Promise.all(
      tiles.value.map(async (_, i) => {
        const request = requestOf(view, asked, seed + i);
        for await (const event of worker.draw(request, { signal })) follow(i, event);
      }),
    );
    announce(`Finished: ${subjectOf(asked, view)}`);
  } catch (error) {
    fail(error, stopping.signal.aborted);
  } finally {
    // One that failed takes the others with it.
    stopping.abort();
    stopping = undefined;
    run.value = undefined;
  }
}

function begin(view: ModelView, asked: Settings, seed: number): void {
  const subject = subjectOf(asked, view);
  const old = tiles.value;
  tiles.value = Array.from({ length: asked.count }, (_, i) => {
    const { now, before, state } = old[i] ?? {};
    return { seed: seed + i, state: 'waiting', done: 0, before: state === 'done' ? now : before };
  });
  run.value = { subject, total: view.gridSize ** 2 };
  drawProblem.value = undefined;
  const many = asked.count > 1 ? `, ${asked.count} pictures` : '';
  announce(`Drawing ${subject}${many}`);
}

function requestOf(view: ModelView, asked: Settings, seed: number): DrawRequest {
  const { cfgScale, temperature, topK, topP } = asked;
  const condition =
    view.modelType === 't2i' ? { prompt: asked.prompt } : { classIndex: asked.classIndex };
  // A preview is a whole run of the decoder of pixels, which on a CPU takes as long as ten tokens.
  const rows = adapter.value?.software ? 3 : 1;
  const previewEvery = rows * view.gridSize;
  return { ...condition, seed, cfgScale, temperature, topK, topP, previewEvery };
}

/** Takes the events of all tiles. */
function follower(view: ModelView, asked: Settings): (index: number, event: DrawEvent) => void {
  const started = performance.now();
  const total = view.gridSize ** 2 * asked.count;
  let firstAt: number | undefined;
  let firstDone = 0;
  let quarter = 0;
  const count = (): void => {
    const done = tiles.value.reduce((sum, tile) => sum + tile.done, 0);
    const now = performance.now();
    if (firstAt === undefined) [firstAt, firstDone] = [now, done];
    else if (run.value) {
      const rate = ((done - firstDone) / (now - firstAt)) * 1000;
      run.value = { ...run.value, rate, seconds: (now - started) / 1000 };
    }
    const reached = Math.floor((4 * done) / total);
    if (reached > quarter && reached < 4)
      announce(['', 'A quarter', 'Half', 'Three quarters'][reached] ?? '');
    quarter = Math.max(quarter, reached);
  };
  return (index, event) => {
    switch (event.type) {
      case 'started':
        return put(index, { state: 'drawing' });
      case 'tokens':
        put(index, { done: event.done });
        return count();
      case 'preview':
        return put(index, { now: event.picture });
      case 'image': {
        const { picture, passes, tokens } = event;
        return put(index, {
          now: picture,
          passes,
          done: tokens.length,
          state: 'done',
          before: undefined,
        });
      }
    }
  };
}

function put(index: number, changed: Partial<Tile>): void {
  tiles.value = tiles.value.map((tile, i) => (i === index ? { ...tile, ...changed } : tile));
}

function fail(error: unknown, stopped: boolean): void {
  tiles.value = tiles.value.map((tile) =>
    tile.state === 'done' ? tile : { ...tile, state: 'stopped' },
  );
  // A stop by the user is no error.
  if (stopped) announce('Stopped');
  else drawProblem.value = problemOf(error, 'drawing', () => draw());
}
