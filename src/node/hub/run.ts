/** One run of a download: what all of its steps need, and what they do with the cache. */
import { renameSync, rmSync } from 'node:fs';
import { DownloadError } from '../../errors.ts';
import type { Asked } from '../../hub/address.ts';
import type { HubFile } from '../../hub/answer.ts';
import { type RetryOptions, retrying } from '../../hub/retry.ts';
import { TransientError } from '../../hub/transient.ts';
import { Cache, type PartPaths, removeParts } from './cache.ts';
import { freeBytes } from './disk.ts';
import type { DownloadedFile, DownloadOptions } from './download-options.ts';
import { HubHttp } from './http.ts';
import { withLock } from './lock.ts';
import { resolveFile } from './resolve.ts';
import { DEFAULT_TIMING, type HubSettings, type HubTiming, hubSettings } from './settings.ts';
import type { Transfer } from './transfer.ts';

/** What to do when all tries failed. */
const ADVICE = {
  alone: 'check the network; some need a proxy (HTTPS_PROXY) or a mirror of the hub (HF_ENDPOINT)',
  again: 'run it again, and it goes on where it stopped',
};

/** The parts of a run that every step needs. */
export interface Run {
  readonly asked: Asked;
  readonly options: DownloadOptions;
  readonly settings: HubSettings;
  readonly timing: HubTiming;
  readonly cache: Cache;
  readonly http: HubHttp;
  readonly retry: RetryOptions;
  /** Bytes of the part file, once known. */
  doneBytes: number;
  note(text: string): void;
}

/** Runs `work` with connections of its own, which are closed at the end. */
export async function withRun<T>(
  options: DownloadOptions,
  work: (run: Run) => Promise<T>,
): Promise<T> {
  const settings = hubSettings(options.env ?? process.env);
  const timing = { ...DEFAULT_TIMING, ...options.timing };
  const { repo, file, revision = 'main', signal } = options;
  signal?.throwIfAborted();
  const http = new HubHttp(settings, timing, signal);
  const note = (text: string): void => options.onNote?.(text);
  const run: Run = {
    asked: { repo, file, revision },
    options,
    settings,
    timing,
    cache: new Cache(settings.cache),
    http,
    retry: {
      ...{ timing, signal, advice: ADVICE, onNote: note },
      doneBytes: () => run.doneBytes,
      contacted: () => http.contacted,
    },
    doneBytes: 0,
    note,
  };
  try {
    return await work(run);
  } finally {
    await http.close();
  }
}

/** How a file is kept, and how its bytes come. */
export interface Kept {
  /** Its name in the cache: that of the file, or of the part of it that is kept. */
  readonly asked: Asked;
  /**
   * What is kept of a version of the file: without the hash and the length of the whole where only a
   * part is.
   */
  version(file: HubFile): HubFile;
  /**
   * Brings the part file to its whole length, and checks it.
   * @throws TransientError where another try may go better.
   */
  fetch(version: HubFile, place: Place): Promise<{ sha256: string; bytes: number }>;
}

/** Where bytes go, while this process alone may write there. */
export interface Place {
  readonly paths: PartPaths;
  /** @throws DownloadError when another process took over. */
  assertHeld(): void;
}

/** What is in the cache, else what is fetched into it, with as many tries as it takes. */
export async function fetched(run: Run, kept: Kept): Promise<DownloadedFile> {
  if (run.settings.offline) return offlineFile(run, kept.asked);
  run.cache.prepare();
  let before: PartPaths | undefined;
  return retrying(run.retry, async () => {
    const found = await resolveOrCached(run, kept.asked);
    if ('path' in found) return found;
    const version = kept.version(found);
    const paths = run.cache.parts(kept.asked, version);
    if (before && before.part !== paths.part) {
      run.note(`${run.asked.file} changed on the hub: starting again`);
      removeParts(before);
    }
    before = paths;
    return fetchVersion(run, kept, version, paths);
  });
}

/** The file of the cache. @throws DownloadError (`offline`) when there is none. */
export function offlineFile({ cache, settings }: Run, asked: Asked): DownloadedFile {
  const file = recorded(cache, asked);
  if (file) return file;
  throw new DownloadError(
    'offline',
    `${asked.repo}/${asked.file} is not in the cache ${settings.cache}, and HF_HUB_OFFLINE is set: ` +
      'unset it, or set LLAMAGEN_CACHE to a folder that has the file',
  );
}

/** What the hub says; without a network, the version that was fetched last. */
export async function resolveOrCached(run: Run, asked: Asked): Promise<HubFile | DownloadedFile> {
  try {
    return await resolveFile(run.http, run.asked, run.settings, run.timing);
  } catch (error) {
    const file = recorded(run.cache, asked);
    if (!file || !(error instanceof TransientError) || error.problem !== 'network') throw error;
    run.note(`${error.message}: using ${asked.file} from the cache`);
    return file;
  }
}

/** The version that was fetched last. */
function recorded(cache: Cache, asked: Asked): DownloadedFile | undefined {
  const record = cache.find(asked);
  return record && fromCache(cache, record.sha256, record.bytes);
}

/** The version that the hub has now, if it is here. */
export function cached(cache: Cache, asked: Asked, file: HubFile): DownloadedFile | undefined {
  const record = cache.find(asked);
  if (record?.etag === file.etag) return fromCache(cache, record.sha256, record.bytes);
  const { sha256, bytes, etag, commit } = file;
  if (sha256 === undefined || bytes === undefined || !cache.has({ sha256, bytes }))
    return undefined;
  // Another repository or revision has the same content.
  cache.record(asked, { sha256, bytes, etag, commit });
  return fromCache(cache, sha256, bytes);
}

function fromCache(cache: Cache, sha256: string, bytes: number): DownloadedFile {
  return { path: cache.blob(sha256), sha256, bytes, fromCache: true };
}

async function fetchVersion(
  run: Run,
  { asked, fetch }: Kept,
  version: HubFile,
  paths: PartPaths,
): Promise<DownloadedFile> {
  const { cache, timing, options } = run;
  const here = cached(cache, asked, version);
  if (here) return here;
  const lock = {
    pollMs: timing.lockPollMs,
    signal: options.signal,
    onWait: () => run.note(`another process downloads ${asked.file}: waiting for it`),
  };
  return withLock(paths.lock, lock, async (assertHeld) => {
    const made = cached(cache, asked, version);
    if (made) return made;
    const { sha256, bytes } = await fetch(version, { paths, assertHeld });
    const path = cache.blob(sha256);
    renameSync(paths.part, path);
    rmSync(paths.partInfo, { force: true });
    const { etag, commit } = version;
    cache.record(asked, { sha256, bytes, etag, commit });
    return { path, sha256, bytes, fromCache: false };
  });
}

/** What a transfer needs of its run. */
export function transferOf(run: Run, file: HubFile, { paths, assertHeld }: Place): Transfer {
  const { asked, options, settings, timing, http } = run;
  return {
    ...{ http, asked, file, paths, settings, timing, assertHeld },
    freeBytes: options.freeBytes ?? freeBytes,
    signal: options.signal,
    onProgress(progress) {
      run.doneBytes = progress.doneBytes;
      options.onProgress?.(progress);
    },
  };
}
