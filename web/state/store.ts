/** Models that this browser keeps, and those that it could fetch. */
import { effect, type Signal, signal } from '@preact/signals';
import type {
  ModelEstimate,
  ModelSource,
  StoredModel,
  WorkerClient,
} from '../../src/web/worker/index.ts';
import { type Problem, problemOf } from './problem.ts';
import { client, loading } from './session.ts';

/** Those that are kept, once somebody has looked. */
export const models: Signal<readonly StoredModel[] | undefined> = signal(undefined);
/** Why they cannot be seen, or a model cannot be removed. */
export const storeProblem: Signal<Problem | undefined> = signal(undefined);

/** Looks into the store again. */
export const look = (): Promise<void> => use(async () => {});

/** Takes a model out of the store; one that is loaded goes on drawing. */
export const forget = ({ id }: StoredModel): Promise<void> => use((worker) => worker.remove(id));

/** Changes the store, and looks into it. */
async function use(change: (worker: WorkerClient) => Promise<void>): Promise<void> {
  try {
    const worker = await client();
    await change(worker);
    models.value = await worker.models();
    storeProblem.value = undefined;
  } catch (error) {
    storeProblem.value = problemOf(error, 'store');
  }
}

// Loading fills it, also where that is stopped.
effect(() => {
  if (!loading.value && models.peek()) void look();
});

/** What a model takes, and why this device cannot hold it. */
export type Estimate = ModelEstimate;

/** Asks what a model takes: its settings and the headers of its files are read, and no weights. */
export async function estimate(source: ModelSource): Promise<Estimate> {
  return (await client()).estimate(source);
}

/** What is said of sizes. */
export function size(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(1)} GB`;
  return bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : `${Math.ceil(bytes / 1e3)} kB`;
}

/** A name on the hub, or the address of a folder. */
export function sourceOf(text: string): ModelSource {
  const given = text.trim();
  const isHub = !/^https?:/.test(given) || /^https:\/\/(www\.)?huggingface\.co\//.test(given);
  return isHub ? { hub: given } : { url: given };
}
