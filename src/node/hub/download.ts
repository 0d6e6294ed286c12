/** Files of the Hugging Face hub, each downloaded once and checked. */
import { renameSync, rmSync } from 'node:fs';
import { DownloadError } from '../../errors.ts';
import type { Environment } from '../environment.ts';
import { Cache, type PartPaths, removeParts } from './cache.ts';
import { assertRightBytes } from './check.ts';
import { type FreeBytes, freeBytes } from './disk.ts';
import { HubHttp } from './http.ts';
import { withLock } from './lock.ts';
import { TransientError } from './problems.ts';
import type { DownloadProgress } from './progress.ts';
import type { Asked } from './refusal.ts';
import { type HubFile, resolveFile } from './resolve.ts';
import { type RetryOptions, retrying } from './retry.ts';
import { DEFAULT_TIMING, type HubSettings, type HubTiming, hubSettings } from './settings.ts';
import { transfer } from './transfer.ts';

/** Which file, and how to fetch it. */
export interface DownloadOptions {
  /** E.g. `FoundationVision/LlamaGen`. */
  readonly repo: string;
  /** Path in the repository. */
  readonly file: string;
  /** Branch, tag or commit. Default `main`. */
  readonly revision?: string | undefined;
  /**
   * Variables that count: `HF_ENDPOINT`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_DISABLE_IMPLICIT_TOKEN`,
   * `HF_HUB_OFFLINE`, `LLAMAGEN_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HTTP_PROXY`, `HTTPS_PROXY`,
   * `ALL_PROXY`, `NO_PROXY`. Default: those of the process.
   */
  readonly env?: Environment | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly timing?: Partial<HubTiming> | undefined;
  readonly freeBytes?: FreeBytes | undefined;
  onProgress?(progress: DownloadProgress): void;
  /** A line for the user: a try that failed, another process at work. */
  onNote?(text: string): void;
}

/** A file that is here. */
export interface DownloadedFile {
  readonly path: string;
  readonly sha256: string;
  readonly bytes: number;
  /** Whether nothing had to be fetched. */
  readonly fromCache: boolean;
}

/** What is known of a file before it is fetched. */
export interface FileFacts {
  /** Undefined where the hub does not say. */
  readonly bytes?: number | undefined;
  readonly sha256?: string | undefined;
  /** Whether this version is in the cache. */
  readonly inCache: boolean;
}

/** The parts of a run that every step needs. */
interface Run {
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

/**
 * A file of the hub as a file of this machine. What was fetched before is used again, a download that
 * was cut goes on where it stopped, and what comes is checked against the hub's SHA-256.
 * @throws DownloadError that says what to do; OptionError that names a variable with a wrong value;
 * the reason of `signal` once it is aborted.
 */
export async function downloadFile(options: DownloadOptions): Promise<DownloadedFile> {
  return withRun(options, async (run) => {
    if (run.settings.offline) return offlineFile(run);
    run.cache.prepare();
    let before: PartPaths | undefined;
    return retrying(run.retry, async () => {
      const file = await resolveOrCached(run);
      if ('path' in file) return file;
      const paths = run.cache.parts(run.asked, file);
      if (before && before.part !== paths.part) {
        run.note(`${run.asked.file} changed on the hub: starting again`);
        removeParts(before);
      }
      before = paths;
      return fetchVersion(run, file, paths);
    });
  });
}

/**
 * Size and hash of a file, without its bytes.
 * @throws DownloadError as `downloadFile`.
 */
export async function fileFacts(options: DownloadOptions): Promise<FileFacts> {
  return withRun(options, async (run) => {
    if (run.settings.offline) {
      const { sha256, bytes } = offlineFile(run);
      return { sha256, bytes, inCache: true };
    }
    const file = await retrying(run.retry, () => resolveOrCached(run));
    const { bytes, sha256 } = file;
    const inCache = 'path' in file || cached(run, file) !== undefined;
    return { inCache, bytes, sha256 };
  });
}

async function withRun<T>(options: DownloadOptions, work: (run: Run) => Promise<T>): Promise<T> {
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
      ...{ timing, signal, onNote: note },
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

function offlineFile(run: Run): DownloadedFile {
  const { asked, settings } = run;
  const file = recorded(run);
  if (file) return file;
  throw new DownloadError(
    'offline',
    `${asked.repo}/${asked.file} is not in the cache ${settings.cache}, and HF_HUB_OFFLINE is set: ` +
      'unset it, or set LLAMAGEN_CACHE to a folder that has the file',
  );
}

/** What the hub says; without a network, the version that was fetched last. */
async function resolveOrCached(run: Run): Promise<HubFile | DownloadedFile> {
  try {
    return await resolveFile(run.http, run.asked, run.settings, run.timing);
  } catch (error) {
    const file = recorded(run);
    if (!file || !(error instanceof TransientError) || error.problem !== 'network') throw error;
    run.note(`${error.message}: using ${run.asked.file} from the cache`);
    return file;
  }
}

/** The version that was fetched last. */
function recorded({ asked, cache }: Run): DownloadedFile | undefined {
  const record = cache.find(asked);
  return record && fromCache(cache, record.sha256, record.bytes);
}

/** The version that the hub has now, if it is here. */
function cached({ asked, cache }: Run, file: HubFile): DownloadedFile | undefined {
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

async function fetchVersion(run: Run, file: HubFile, paths: PartPaths): Promise<DownloadedFile> {
  const { asked, cache, options, settings, timing, http } = run;
  const { signal } = options;
  const here = cached(run, file);
  if (here) return here;
  const lock = {
    pollMs: timing.lockPollMs,
    signal,
    onWait: () => run.note(`another process downloads ${asked.file}: waiting for it`),
  };
  return withLock(paths.lock, lock, async (assertHeld) => {
    const made = cached(run, file);
    if (made) return made;
    const { sha256, bytes } = await transfer({
      http,
      asked,
      file,
      paths,
      settings,
      timing,
      freeBytes: options.freeBytes ?? freeBytes,
      signal,
      assertHeld,
      onProgress: (progress) => {
        run.doneBytes = progress.doneBytes;
        options.onProgress?.(progress);
      },
    });
    assertHeld();
    assertRightBytes(asked.file, file, paths, sha256, bytes);
    const path = cache.blob(sha256);
    renameSync(paths.part, path);
    rmSync(paths.partInfo, { force: true });
    const { etag, commit } = file;
    cache.record(asked, { sha256, bytes, etag, commit });
    return { path, sha256, bytes, fromCache: false };
  });
}
