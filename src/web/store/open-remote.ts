/** A model of a server, by way of the store. */
import { openGiven } from '../../convert/given.ts';
import { DownloadError, OptionError, WeightsError } from '../../errors.ts';
import { type RetryTiming, retrying } from '../../hub/retry.ts';
import { TransientError } from '../../hub/transient.ts';
import { shortDigest } from '../../weights/digest.ts';
import type { ModelFiles } from '../../weights/source.ts';
import { Blocks } from './blocks.ts';
import { fetchBlock, fetchBlocks } from './download.ts';
import { withLock } from './locks.ts';
import type { Origin, OriginPlan } from './origin.ts';
import { type Bytes, isQuotaError, type Place } from './place.ts';
import {
  type FileRecord,
  type ModelRecord,
  readRecord,
  removeOthers,
  writeRecord,
} from './record.ts';
import type { RemoteFile, Web } from './remote.ts';
import type { SpillingPlace } from './spill.ts';
import type { OpenOptions } from './types.ts';

const TIMING: RetryTiming = {
  retries: 5,
  firstWaitMs: 1000,
  longestWaitMs: 30_000,
  contactMs: 6000,
};
const ADVICE = {
  alone: 'check the network',
  again: 'load the model again, and it goes on where it stopped',
};
/** Longest wait for word of newer versions where the model is here. */
const ASK_MS = 5000;
/** Between two looks at how far another tab is. */
const WATCH_MS = 500;

/** One opening of a model. */
interface Opening {
  readonly origin: Origin;
  readonly place: SpillingPlace;
  readonly options: OpenOptions;
  /** Bytes that the browser would still keep; undefined where it does not say. */
  freeBytes(): Promise<number | undefined>;
}

/**
 * The files of a model: as they are kept, once the server has no newer ones.
 * @throws DownloadError, WeightsError; the reason of the signal.
 */
export async function openRemote(opening: Opening): Promise<ModelFiles> {
  const { origin, place, options } = opening;
  const { signal, onNote } = options;
  signal?.throwIfAborted();
  const before = await readRecord(place, origin.id);
  if (before?.complete && (await isWhole(place, before))) {
    const plan = await askAgain(opening, before.name);
    if (!plan || (await isSame(origin, before, plan))) {
      // Another tab may write the same; the time is not worth a failure.
      await writeRecord(place, origin.id, { ...before, usedAt: Date.now() }).catch(() => {});
      return filesOf(opening, before);
    }
    onNote?.(`${before.name}: there is a newer version: fetching what changed`);
  }
  const fetched = await fetchModel(opening);
  try {
    return await filesOf(opening, fetched);
  } catch (error) {
    // Bytes that are right, and of no model: they would take room for nothing.
    if (isNoModel(error)) await place.remove(origin.id);
    throw error;
  }
}

const isNoModel = (error: unknown): boolean =>
  error instanceof WeightsError || error instanceof OptionError;

/** What the server has now; undefined where it does not say, so that what is here has to do. */
async function askAgain(opening: Opening, name: string): Promise<OriginPlan | undefined> {
  const { origin, options } = opening;
  const timeout = AbortSignal.timeout(ASK_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  try {
    return await origin.plan(webOf(origin, signal));
  } catch (error) {
    options.signal?.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    options.onNote?.(`using ${name} as it is stored: ${why}`);
    return undefined;
  }
}

const webOf = ({ web }: Origin, signal: AbortSignal | undefined): Web => ({
  ...web,
  signal,
  contacted: false,
});

const blocksOf = (place: Place, { folder, url, bytes }: FileRecord): Blocks =>
  new Blocks(place, folder, url, bytes);

async function isWhole(place: Place, { files }: ModelRecord): Promise<boolean> {
  const missing = await Promise.all(files.map((file) => blocksOf(place, file).missing()));
  return missing.every((blocks) => blocks.length === 0);
}

async function isSame({ id }: Origin, before: ModelRecord, plan: OriginPlan): Promise<boolean> {
  const now = await Promise.all(plan.files.map((file) => recordOf(id, file)));
  const folders = (files: readonly FileRecord[]): string =>
    files.map(({ file, folder }) => `${file} ${folder}`).join('\n');
  return folders(now) === folders(before.files);
}

async function recordOf(id: string, remote: RemoteFile): Promise<FileRecord> {
  const { content: _, ...file } = remote;
  const version = file.sha256 ?? file.gitHash ?? file.version ?? '';
  const digest = await shortDigest([file.file, file.bytes, version].join('\n'));
  return { ...file, folder: `${id}/${digest}` };
}

/** Fetches what is missing, while no other tab does. */
async function fetchModel(opening: Opening): Promise<ModelRecord> {
  const { origin, place, options } = opening;
  const { signal, onNote } = options;
  const waiting = new AbortController();
  const onWait = (): void => {
    onNote?.(`another tab fetches ${origin.name}: waiting for it`);
    watch(opening, waiting.signal);
  };
  try {
    return await withLock(origin.id, { signal, onWait }, async () => {
      waiting.abort();
      const web = webOf(origin, signal);
      let doneBytes = 0;
      const retry = {
        ...{ timing: TIMING, signal, advice: ADVICE },
        doneBytes: () => doneBytes,
        contacted: () => web.contacted,
        onNote: (note: string) => onNote?.(note),
      };
      return retrying(retry, () =>
        fetchOnce(opening, web, (done) => {
          doneBytes = done;
        }),
      );
    });
  } catch (error) {
    if (!isQuotaError(error)) throw error;
    throw new DownloadError('disk', `${place.kind}: ${String(error)}`, { cause: error });
  } finally {
    waiting.abort();
  }
}

async function fetchOnce(
  opening: Opening,
  web: Web,
  onDone: (doneBytes: number) => void,
): Promise<ModelRecord> {
  const { origin, place, options, freeBytes } = opening;
  const plan = await origin.plan(web);
  const files = await Promise.all(plan.files.map((file) => recordOf(origin.id, file)));
  await forgetUnnamed(place, origin, files);
  const all = files.map((file) => blocksOf(place, file));
  const stored = await Promise.all(all.map((blocks) => blocks.storedBytes()));
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  const [total, resumed] = [sum(files.map(({ bytes }) => bytes)), sum(stored)];
  const free = await freeBytes();
  if (free !== undefined && total - resumed > free) await place.spill(origin.id);
  const record: ModelRecord = {
    ...{ format: 1, name: plan.name, source: origin.source, files },
    ...{ complete: false, usedAt: Date.now() },
  };
  await writeRecord(place, origin.id, record);
  for (const [i, blocks] of all.entries()) {
    const remote = plan.files[i];
    if (!remote) continue;
    await fetchBlocks(web, remote, blocks, (bytes) => {
      stored[i] = bytes;
      const done = sum(stored);
      onDone(done);
      options.onProgress?.({ file: remote.file, done, resumed, total });
    }).catch(async (error) => {
      // Nobody knows which of its blocks is wrong.
      if (isWrong(error)) await place.remove(`${files[i]?.folder}`);
      throw error;
    });
  }
  const complete = { ...record, complete: true };
  await writeRecord(place, origin.id, complete);
  await removeOthers(place, origin.id, files);
  return complete;
}

const isWrong = (error: unknown): boolean =>
  error instanceof WeightsError ||
  (error instanceof DownloadError && error.problem === 'wrong-bytes');

/** Bytes of several answers are joined only where something says that they belong together. */
async function forgetUnnamed(
  place: Place,
  { id }: Origin,
  files: readonly FileRecord[],
): Promise<void> {
  const before = await readRecord(place, id);
  if (before?.complete) return;
  for (const { sha256, gitHash, version, folder } of files) {
    if ((sha256 ?? gitHash ?? version) === undefined) await place.remove(folder);
  }
}

/** Tells how far another tab is. */
async function watch({ origin, place, options }: Opening, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !options.signal?.aborted) {
    const record = await readRecord(place, origin.id).catch(() => undefined);
    const files = record?.files ?? [];
    const stored = files.map((file) => blocksOf(place, file).storedBytes());
    const done = (await Promise.all(stored)).reduce((a, b) => a + b, 0);
    const total = files.reduce((all, { bytes }) => all + bytes, 0);
    if (signal.aborted) return;
    const file = files.at(-1)?.file;
    if (file) options.onProgress?.({ file, done, resumed: 0, total });
    await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  }
}

/** The model of a record: a folder as it is, checkpoints as they are read. */
async function filesOf(opening: Opening, { files }: ModelRecord): Promise<ModelFiles> {
  const { origin, place, options } = opening;
  const sources = files.map((file) => {
    const blocks = blocksOf(place, file);
    return [file.file, blocks.source((index) => mend(opening, file, blocks, index))] as const;
  });
  const model = await openGiven(new Map(sources));
  for (const note of model.notes) options.onNote?.(note);
  return { name: origin.name, open: model.open };
}

/**
 * Fetches a block anew that is damaged.
 * @throws WeightsError when it cannot be had.
 */
async function mend(
  { origin, options }: Opening,
  file: FileRecord,
  blocks: Blocks,
  index: number,
): Promise<Bytes> {
  const { onNote } = options;
  return withLock(origin.id, { onWait: () => {} }, async () => {
    // Another tab may have been first.
    const there = await blocks.read(index);
    if (there) return there;
    try {
      const mended = await fetchBlock(webOf(origin, undefined), file, blocks, index);
      onNote?.(`${file.file}: what was stored is damaged: fetched ${mended.byteLength} bytes anew`);
      return mended;
    } catch (cause) {
      const why = cause instanceof TransientError ? cause.message : String(cause);
      throw new WeightsError(
        `${blocks.name}: what is stored of it is damaged, and it cannot be fetched anew (${why}): load the model again with a network`,
        { cause },
      );
    }
  });
}
