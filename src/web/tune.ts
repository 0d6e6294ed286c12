/**
 * `llamagen-webgpu/tune`: measured tiles in the browser, kept in IndexedDB for the pages of one origin.
 * An entry of its own, so that pages that do not tune need not carry it.
 */

import { adapterFacts, variantOf } from '../gpu/variants.ts';
import type { Model } from '../load/model.ts';
import { knownTiles } from '../ops/known-adapters.ts';
import type { Tiles } from '../ops/tiles.ts';
import { adapterKey } from '../tune/adapter-key.ts';
import { kernelDigest } from '../tune/digest.ts';
import {
  type AdapterTable,
  readTable,
  type Tuned,
  type TunedTable,
  withTuned,
} from '../tune/table.ts';
import { type Families, tune } from '../tune/tune.ts';
import { rowsToTune, workloadsOf } from '../tune/workloads.ts';

export interface TuneModelOptions {
  /** Rows of the decoding steps that products are measured with. Default: `rowsToTune`. */
  readonly rows?: readonly number[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** What is tuned. Default: every family that has tiles. */
  readonly families?: Families | undefined;
}

const DATABASE = 'llamagen-webgpu';
const STORE = 'tiles';

/** A browser's version stands for its driver, which it does not tell. */
const keyOf = (device: GPUDevice): string => adapterKey(device, [navigator.userAgent]);

/**
 * Measures which tiles of a model's kernels are fastest on its device, what is known already left
 * out, and keeps the best, which `tunedTiles` gives from then on; what could not be confirmed is
 * measured again the next time.
 * @throws DeviceError when the device fails, the signal's reason when aborted.
 */
export async function tuneModel(model: Model, options: TuneModelOptions = {}): Promise<TunedTable> {
  const { signal, onProgress, families } = options;
  const { device, config, gpt } = model;
  const { rows = rowsToTune(adapterFacts(device).software) } = options;
  const tuned: Record<string, Tuned> = { ...(await readTiles(device)) };
  await tune(device, workloadsOf(config, gpt.precision, rows), {
    families,
    known: new Set(Object.keys(tuned)),
    signal,
    onProgress,
    onResult: (key, { tile, ownUs, us, unconfirmed }) => {
      if (!unconfirmed) tuned[key] = { tile, ownUs, us };
    },
  });
  await storeTiles(device, tuned);
  return tuned;
}

/** For `loadModel`: what was measured on a device's adapter, here or when this version was made. */
export const tunedTiles = async (device: GPUDevice): Promise<Tiles> =>
  withTuned(knownTiles(device.adapterInfo, variantOf(device)), await readTiles(device));

/** What was measured on this adapter with these kernels; nothing where there is no database. */
async function readTiles(device: GPUDevice): Promise<TunedTable> {
  const key = keyOf(device);
  try {
    const stored = await inStore('readonly', (store) => store.get(key));
    if (stored === undefined) return {};
    const table = readTable(key, stored);
    return table.kernels === (await kernelDigest(variantOf(device))) ? table.tuned : {};
  } catch {
    // Switched off, or broken: the kernels' own choices are good.
    return {};
  }
}

async function storeTiles(device: GPUDevice, tuned: TunedTable): Promise<void> {
  const table: AdapterTable = { kernels: await kernelDigest(variantOf(device)), tuned };
  await inStore('readwrite', (store) => store.put(table, keyOf(device)));
}

/** One request in a transaction of its own. */
async function inStore<T>(
  mode: IDBTransactionMode,
  ask: (store: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
  const database = await settled(opening);
  try {
    return await settled(ask(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
