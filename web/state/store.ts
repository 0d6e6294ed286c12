/** Models that this browser keeps, and those that it could fetch. */
import { type Signal, signal } from '@preact/signals';
import type {
  ModelEstimate,
  ModelSource,
  StoredModel,
  StoreView,
} from '../../src/web/worker/index.ts';
import { client } from './session.ts';

/** Where models are kept, and how much there is room for. */
export const store: Signal<StoreView | undefined> = signal(undefined);
export const models: Signal<readonly StoredModel[]> = signal([]);

/** Looks into the store again. */
export async function look(): Promise<void> {
  const worker = await client();
  [store.value, models.value] = await Promise.all([worker.store(), worker.models()]);
}

/** Takes a model out of the store; one that is loaded goes on drawing. */
export async function forget({ id }: StoredModel): Promise<void> {
  await (await client()).remove(id);
  await look();
}

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
