/** Files of the Hugging Face hub, each downloaded once and checked. */

import { retrying } from '../../hub/retry.ts';
import { assertRightBytes } from './check.ts';
import type { DownloadedFile, DownloadOptions } from './download-options.ts';
import { cached, fetched, offlineFile, resolveOrCached, transferOf, withRun } from './run.ts';
import { transfer } from './transfer.ts';

export type { DownloadedFile, DownloadOptions };

/** What is known of a file before it is fetched. */
export interface FileFacts {
  /** Undefined where the hub does not say. */
  readonly bytes?: number | undefined;
  readonly sha256?: string | undefined;
  /** Whether this version is in the cache. */
  readonly inCache: boolean;
}

/**
 * A file of the hub as a file of this machine. What was fetched before is used again, a download that
 * was cut goes on where it stopped, and what comes is checked against the hub's SHA-256.
 * @throws DownloadError that says what to do; OptionError that names a variable with a wrong value;
 * the reason of `signal` once it is aborted.
 */
export async function downloadFile(options: DownloadOptions): Promise<DownloadedFile> {
  return withRun(options, (run) =>
    fetched(run, {
      asked: run.asked,
      version: (file) => file,
      async fetch(file, place) {
        const { sha256, bytes } = await transfer(transferOf(run, file, place));
        place.assertHeld();
        assertRightBytes(run.asked.file, file, place.paths, sha256, bytes);
        return { sha256, bytes };
      },
    }),
  );
}

/**
 * Size and hash of a file, without its bytes.
 * @throws DownloadError as `downloadFile`.
 */
export async function fileFacts(options: DownloadOptions): Promise<FileFacts> {
  return withRun(options, async (run) => {
    const { asked, cache } = run;
    if (run.settings.offline) {
      const { sha256, bytes } = offlineFile(run, asked);
      return { sha256, bytes, inCache: true };
    }
    const file = await retrying(run.retry, () => resolveOrCached(run, asked));
    const { bytes, sha256 } = file;
    const inCache = 'path' in file || cached(cache, asked, file) !== undefined;
    return { inCache, bytes, sha256 };
  });
}
