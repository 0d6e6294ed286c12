/** Keeps models in the browser, so that each is downloaded once. */
import { cachePlace } from './cache.ts';
import { openFiles } from './given.ts';
import type { HubOptions } from './hub-origin.ts';
import { ifUnlocked, withLock } from './locks.ts';
import { memoryPlace } from './memory.ts';
import { openRemote, storedFiles } from './open-remote.ts';
import { blocksOf, type Opening } from './opening.ts';
import { opfsPlace } from './opfs.ts';
import { originOf } from './origin-of.ts';
import { gone, isQuotaError, type Place } from './place.ts';
import { namedFiles, readRecord, tidy } from './record.ts';
import { SILENCE_MS } from './silence.ts';
import { type SpillingPlace, spillingPlace } from './spill.ts';
import type { ModelStore, OpenOptions, RemoteSource, StoredModel, StoreKind } from './types.ts';

export interface StoreOptions {
  /** The best kind of store that is tried. Default `opfs`. */
  readonly kind?: StoreKind | undefined;
  /** Where models of the hub come from. */
  readonly hub?: HubOptions | undefined;
  /** Longest silence of a server, in milliseconds, before a request is tried again. Default 30,000. */
  readonly silenceMs?: number | undefined;
  /** Names the store: models in another are not seen. Default `llamagen-webgpu`. */
  readonly name?: string | undefined;
}

const DEFAULT_NAME = 'llamagen-webgpu';
/** Room that is left to whatever else the origin keeps, such as pictures. */
const SPARE_BYTES = 64 * 2 ** 20;

/**
 * Opens the store of this origin: in OPFS where the browser has it, else in the Cache API, else in memory.
 * Best in a dedicated worker, where writing is fastest.
 */
export async function openModelStore(options: StoreOptions = {}): Promise<ModelStore> {
  const { place, note } = await findPlace(options);
  await sweep(place).catch(gone);
  const places = new Map<string, SpillingPlace>();
  /** Who hears that there is no room, by model. */
  const notes = new Map<string, OpenOptions['onNote']>();
  const opening = async (source: RemoteSource, given: OpenOptions): Promise<Opening> => {
    const origin = await originOf(source, options.hub);
    const { id, name } = origin;
    const tell = async (): Promise<void> => notes.get(id)?.(await noRoom(name));
    const own = places.get(id) ?? spillingPlace(place, id, tell);
    places.set(id, own);
    const { silenceMs = SILENCE_MS } = options;
    return { origin, place: own, disk: place, options: given, silenceMs, freeBytes };
  };
  const list = async (): Promise<readonly StoredModel[]> => {
    const ids = new Set([...(await place.names('')), ...places.keys()]);
    const found = await Promise.all([...ids].map((id) => describe(places.get(id) ?? place, id)));
    const models = found.filter((model) => model !== undefined);
    return models.sort((a, b) => b.usedAt - a.usedAt);
  };
  return {
    kind: place.kind,
    note,
    async open(source, given = {}) {
      given.signal?.throwIfAborted();
      if ('files' in source) {
        const model = await openFiles(source.files);
        for (const note of model.notes) given.onNote?.(note);
        return model;
      }
      const asked = await opening(source, given);
      notes.set(asked.origin.id, given.onNote);
      return openRemote(asked);
    },
    async estimate(source, { signal } = {}) {
      signal?.throwIfAborted();
      const { estimateFiles, estimateGiven, estimateOrigin } = await import('./estimate.ts');
      if ('files' in source) return estimateGiven(source.files);
      const asked = await opening(source, { signal });
      const { origin, silenceMs } = asked;
      const { bytes = 0, storedBytes = 0 } = (await describe(asked.place, origin.id)) ?? {};
      const kept = await storedFiles(asked);
      const estimated = kept
        ? await estimateFiles(kept, bytes)
        : await estimateOrigin(origin, { signal, silenceMs });
      return { ...estimated, storedBytes };
    },
    list,
    async remove(id) {
      await withLock(id, { onWait: () => {} }, async () => {
        await places.get(id)?.remove(id);
        await place.remove(id);
      });
    },
    async usage() {
      const models = await list();
      const sum = models.reduce((all, { storedBytes }) => all + storedBytes, 0);
      const { usage: used, quota } = await askRoom();
      return { models: sum, used, quota };
    },
  };
}

/** The best place that works, and why no better one does. */
async function findPlace({
  kind = 'opfs',
  name = DEFAULT_NAME,
}: StoreOptions): Promise<{ place: Place; note?: string | undefined }> {
  if (!globalThis.isSecureContext) {
    const note =
      'models are kept in memory: browsers store files for secure pages only (https or localhost)';
    return { place: memoryPlace(), note };
  }
  const problems: string[] = [];
  const ways: readonly [StoreKind, (name: string) => Place][] = [
    ['opfs', opfsPlace],
    ['cache', cachePlace],
  ];
  const first = ways.findIndex(([way]) => way === kind);
  for (const [way, open] of first < 0 ? [] : ways.slice(first)) {
    try {
      const place = open(name);
      await tryOut(place);
      return { place, note: problems.length > 0 ? whyNot(place.kind, problems) : undefined };
    } catch (error) {
      problems.push(`${way}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return {
    place: memoryPlace(),
    note: problems.length > 0 ? whyNot('memory', problems) : undefined,
  };
}

/** Some browsers offer a place and refuse what is written to it; one that is full has what was written before. */
async function tryOut(place: Place): Promise<void> {
  const name = `try-${crypto.randomUUID()}`;
  await withLock(name, { onWait: () => {} }, async () => {
    await place.put(`${name}/file`, [Uint8Array.of(1)]).catch((error) => {
      if (!isQuotaError(error)) throw error;
    });
    await place.remove(name);
  });
}

/** Removes what no record names, but of models that are being written. */
async function sweep(place: Place): Promise<void> {
  for (const id of await place.names('')) {
    // What cannot be read or removed now may be next time.
    await ifUnlocked(id, () => tidy(place, id)).catch(gone);
  }
}

function whyNot(kind: StoreKind, problems: readonly string[]): string {
  const where = kind === 'memory' ? 'in memory, and fetched again next time' : 'in its cache';
  const why = `this browser gives no better place, as in a private window or an old version`;
  return `models are kept ${where}: ${why} (${problems.join('; ')})`;
}

async function noRoom(name: string): Promise<string> {
  const { usage = 0, quota = 0 } = await askRoom();
  const [used, all] = [usage, quota].map((bytes) => `${(bytes / 1e6).toFixed(0)} MB`);
  return `${name} is kept in memory, and fetched again next time: this page uses ${used} of the ${all} that the browser gives it; other stored models can be removed`;
}

const askRoom = async (): Promise<StorageEstimate> => {
  const storage: StorageManager | undefined = navigator.storage;
  return (await storage?.estimate?.().catch(() => undefined)) ?? {};
};

async function freeBytes(): Promise<number | undefined> {
  const { usage, quota } = await askRoom();
  if (usage === undefined || quota === undefined) return undefined;
  return Math.max(0, quota - usage - SPARE_BYTES);
}

/** What is known of a stored model; undefined where nothing can be read. */
async function describe(place: Place, id: string): Promise<StoredModel | undefined> {
  const record = await readRecord(place, id).catch(() => undefined);
  if (!record) return undefined;
  // What came of a newer version takes room too.
  const stored = namedFiles(record).map((file) => blocksOf(place, file).storedBytes());
  const { name, source, usedAt, files } = record.before ?? record;
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  const bytes = sum(files.map((file) => file.bytes));
  return { id, name, source, bytes, storedBytes: sum(await Promise.all(stored)), usedAt };
}
