/** The worker of the page, its adapter and its model. */
import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import {
  type AdapterView,
  connectWorker,
  type LoadProgress,
  type ModelSource,
  type ModelView,
  type WorkerClient,
} from '../../src/web/worker/index.ts';
import { announce } from './announce.ts';
import { type Problem, problemOf } from './problem.ts';
import { hubName, SHIPPED_NAME, SHIPPED_TEXT_NAME } from './recipe.ts';

/** The models that ship with the page, by name: it opens with that of classes, the other draws prompts. */
export const SHIPPED: ReadonlyMap<string, ModelSource> = new Map([
  [SHIPPED_NAME, { url: MODEL_URL }],
  [SHIPPED_TEXT_NAME, { url: TEXT_MODEL_URL }],
]);

export const adapter: Signal<AdapterView | undefined> = signal(undefined);
export const model: Signal<ModelView | undefined> = signal(undefined);
/** While a model loads: what, and how far it is once that is known. */
export const loading: Signal<Loading | undefined> = signal(undefined);
/** Why nothing can be drawn, or why the last model did not load. */
export const problem: Signal<Problem | undefined> = signal(undefined);

const starting = signal(true);
/** Whether there is a model, or one is on its way. */
export const hasOrAwaitsModel: ReadonlySignal<boolean> = computed(
  () => model.value !== undefined || loading.value !== undefined || starting.value,
);

/** What is to know of how the model was loaded, and of where it is kept. */
export const notes: Signal<readonly string[]> = signal([]);

interface Loading {
  readonly name: string;
  readonly progress?: LoadProgress | undefined;
  /** What it waits for, or why it begins anew. */
  readonly note?: string | undefined;
  stop(): void;
}

let connected: Promise<WorkerClient> | undefined;

/** The worker, which is started at first need. */
export function client(): Promise<WorkerClient> {
  connected ??= connectWorker(
    new Worker(new URL('../worker.ts', import.meta.url), { type: 'module' }),
  );
  return connected;
}

/** Opens the adapter and the model that ships with the page. */
export async function start(): Promise<void> {
  try {
    const worker = await client();
    adapter.value = await worker.adapter();
  } catch (error) {
    starting.value = false;
    problem.value = problemOf(error, 'adapter');
    return;
  }
  const loaded = load({ url: MODEL_URL });
  starting.value = false;
  await loaded;
}

/** Loads a model in the place of the one before, which stays where that fails, if there is room for both. */
export async function load(from: ModelSource): Promise<void> {
  loading.value?.stop();
  const controller = new AbortController();
  const { signal } = controller;
  const name = nameOf(from);
  loading.value = { name, stop: () => controller.abort() };
  problem.value = undefined;
  announce(`Loading ${name}`);
  try {
    const worker = await client();
    const onProgress = (progress: LoadProgress): void => {
      if (loading.value && !signal.aborted) loading.value = { ...loading.value, progress };
    };
    notes.value = [];
    const onNote = (note: string, isPassing = false): void => {
      if (signal.aborted || notes.value.includes(note)) return;
      if (!isPassing) notes.value = [...notes.value, note];
      else if (loading.value) loading.value = { ...loading.value, note };
      announce(note);
    };
    const onClosed = (): void => {
      model.value = undefined;
    };
    model.value = await worker.load(from, { signal, onProgress, onNote, onClosed });
    void askToKeep();
    const { note } = await worker.store().catch(() => ({ note: undefined }));
    if (signal.aborted) return;
    if (note !== undefined) onNote(note);
    // The last of them would hardly be heard otherwise.
    announce([`${model.value?.name} is ready`, ...notes.value].join('. '));
  } catch (error) {
    void askForModel();
    // To stop is no error.
    if (signal.aborted) return;
    problem.value = problemOf(error, 'files' in from ? 'given' : 'model', () => load(from));
  } finally {
    if (!signal.aborted) loading.value = undefined;
  }
}

/**
 * Asks the worker which model it has, after something failed or was stopped: that may have been too late, and
 * a device that was opened in the place of another may compute in its own way.
 */
export async function askForModel(): Promise<void> {
  const before = model.value?.fingerprint.digest;
  try {
    const worker = await client();
    const view = await worker.model();
    if (view?.fingerprint.digest === before) return;
    model.value = view;
    if (!view) return;
    announce(`${view.name} is ready`);
    adapter.value = await worker.adapter();
  } catch {
    // A worker that failed has said so to whoever asked it for something.
  }
}

/** So that the browser does not clear models when it is short of room. */
async function askToKeep(): Promise<void> {
  await navigator.storage?.persist?.().catch(() => false);
}

/** Stops loading. */
export function stopLoading(): void {
  loading.value?.stop();
  loading.value = undefined;
  announce('Loading was stopped');
}

/** What a model is called before its own name is known. */
export function nameOf(from: ModelSource): string {
  if ('hub' in from) return hubName(from);
  if ('files' in from) return from.files.map(({ name }) => name).join(', ');
  return from.url.split('/').at(-1) || from.url;
}
