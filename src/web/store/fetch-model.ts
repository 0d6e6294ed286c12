/** Brings all files of a model into the store, while no other tab does. */
import { DownloadError, OptionError, WeightsError } from '../../errors.ts';
import { type RetryTiming, retrying } from '../../hub/retry.ts';
import { fetchBlocks } from './download.ts';
import { withLock } from './locks.ts';
import { blocksOf, type Opening, recordOf, webOf, wholeRecord } from './opening.ts';
import { isQuotaError, type Place } from './place.ts';
import {
  type FileRecord,
  type ModelRecord,
  readRecord,
  removeOthers,
  writeRecord,
} from './record.ts';
import type { Web } from './requests.ts';

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
/** Between two looks at how far another tab is. */
const WATCH_MS = 500;

/** Looks whether what came is a model. @throws WeightsError or OptionError when it is none. */
export type ModelCheck = (record: ModelRecord) => Promise<unknown>;

/**
 * Fetches what is missing, with as many tries as it takes. Bytes that are right, and of no model, are not
 * kept: the version before stays the one that is used.
 * @throws DownloadError, WeightsError, what `check` throws; the reason of the signal.
 */
export async function fetchModel(opening: Opening, check: ModelCheck): Promise<ModelRecord> {
  const { origin, options } = opening;
  const { signal, onNote } = options;
  const waiting = new AbortController();
  const onWait = (): void => {
    onNote?.(`another tab fetches ${origin.name}: waiting for it`, true);
    watch(opening, waiting.signal).catch(() => {}); // it only tells
  };
  try {
    return await withLock(origin.id, { signal, onWait }, async () => {
      waiting.abort();
      const web = webOf(opening, signal);
      let doneBytes = 0;
      const retry = {
        ...{ timing: TIMING, signal, advice: ADVICE },
        doneBytes: () => doneBytes,
        contacted: () => web.contacted,
        onNote: (note: string) => onNote?.(note, true),
      };
      return retrying(retry, () =>
        fetchOnce(opening, web, check, (done) => {
          doneBytes = done;
        }),
      );
    });
  } catch (error) {
    if (!isWithoutRoom(error)) throw error;
    const message = `${origin.name}: there is no room for it, neither in the browser's store nor in memory`;
    throw new DownloadError('disk', message, { cause: error });
  } finally {
    waiting.abort();
  }
}

/** Whether there was no room on the disk, or for an array in memory. */
const isWithoutRoom = (error: unknown): boolean =>
  isQuotaError(error) || (error instanceof RangeError && !(error instanceof OptionError));

async function fetchOnce(
  opening: Opening,
  web: Web,
  check: ModelCheck,
  onDone: (doneBytes: number) => void,
): Promise<ModelRecord> {
  const { origin, place, options, freeBytes } = opening;
  const plan = await origin.plan(web);
  const files = await Promise.all(plan.files.map((file) => recordOf(origin.id, file)));
  const before = await wholeRecord(opening);
  await forgetUnnamed(place, files, before);
  const all = files.map((file) => blocksOf(place, file));
  const stored = await Promise.all(all.map((blocks) => blocks.storedBytes()));
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  const [total, resumed] = [sum(files.map(({ bytes }) => bytes)), sum(stored)];
  const isTight = async (): Promise<boolean> => total - resumed > ((await freeBytes()) ?? total);
  // Versions before may give way first.
  const givesWay = await isTight();
  if (givesWay) await removeOthers(place, origin.id, files);
  if (await isTight()) await place.spill();
  const record: ModelRecord = {
    ...{ format: 1, name: plan.name, source: origin.source, files },
    ...{ complete: true, usedAt: Date.now() },
  };
  const kept = givesWay ? undefined : before;
  await writeRecord(place, origin.id, { ...record, complete: false, before: kept });
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
  await check(record).catch(async (error) => {
    if (isNoModel(error)) await goBack(place, origin.id, kept);
    throw error;
  });
  await writeRecord(place, origin.id, record);
  await removeOthers(place, origin.id, files);
  return record;
}

const isNoModel = (error: unknown): boolean =>
  error instanceof WeightsError || error instanceof OptionError;

/** To the version before, where there is one. */
async function goBack(place: Place, id: string, before: ModelRecord | undefined): Promise<void> {
  if (!before) return place.remove(id);
  await writeRecord(place, id, before);
  await removeOthers(place, id, before.files);
}

const isWrong = (error: unknown): boolean =>
  error instanceof DownloadError && error.problem === 'wrong-bytes';

/** Bytes of several answers are joined only where something says that they belong together. */
async function forgetUnnamed(
  place: Place,
  files: readonly FileRecord[],
  whole: ModelRecord | undefined,
): Promise<void> {
  const kept = new Set(whole?.files.map(({ folder }) => folder));
  for (const { sha256, gitHash, version, folder } of files) {
    const isNamed = (sha256 ?? gitHash ?? version) !== undefined;
    if (!isNamed && !kept.has(folder)) await place.remove(folder);
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
