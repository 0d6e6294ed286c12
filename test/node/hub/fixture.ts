/** One file on a hub of the test's own, and downloads of it. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import { DownloadError } from '../../../src/errors.ts';
import {
  type DownloadedFile,
  type DownloadOptions,
  downloadFile,
} from '../../../src/node/hub/download.ts';
import type { HubTiming } from '../../../src/node/hub/settings.ts';
import {
  type Answer,
  cutAfter as cutOnce,
  type FakeHub,
  sha256,
  startHub,
} from '../../support/hub.ts';
import { normal } from '../../support/random.ts';

/** Waits short enough for tests. */
type HubTimes = Partial<HubTiming>;

export const REPO = 'Owner/Models';
export const CONTENT: Buffer = Buffer.from(normal(300_000, 1, 1).buffer);
export const HASH: string = sha256(CONTENT);
export const ETAG: string = `"cdn-${HASH.slice(0, 8)}"`;
export const OTHER: Buffer = Buffer.from(normal(250_000, 2, 1).buffer);

export const QUICK: HubTimes = {
  retries: 3,
  firstWaitMs: 1,
  longestWaitMs: 4,
  silenceMs: 10_000,
  lockPollMs: 10,
};
/** For servers that hang. */
export const IMPATIENT: HubTimes = { ...QUICK, silenceMs: 500 };

export let hub: FakeHub;
export let cache: string;
export let notes: string[];
/** Bytes that the download under test has. */
let arrived = 0;

/** Starts a hub and empties the cache before each test of the file that calls it. */
export function useHub(): void {
  beforeEach(async () => {
    hub = await startHub();
    hub.files.set(`${REPO}/model.pt`, CONTENT);
    cache = mkdtempSync(join(tmpdir(), 'llamagen-hub-'));
    notes = [];
    arrived = 0;
  });
  afterEach(async () => {
    await hub.close();
    rmSync(cache, { recursive: true });
  });
}

export const cutAfter = (bytes: Buffer, count: number, etag: string): Answer =>
  cutOnce(bytes, count, etag, () => arrived);

export const options = (more: Partial<DownloadOptions> = {}): DownloadOptions => ({
  repo: REPO,
  file: 'model.pt',
  timing: QUICK,
  onNote: (text) => notes.push(text),
  ...more,
  onProgress: (progress) => {
    arrived = progress.doneBytes;
    more.onProgress?.(progress);
  },
  // A home of its own: nobody's login takes part.
  env: { HF_ENDPOINT: hub.endpoint, LLAMAGEN_CACHE: cache, HOME: cache, ...more.env },
});
export const download = (more: Partial<DownloadOptions> = {}): Promise<DownloadedFile> =>
  downloadFile(options(more));

export const blobs = (): string[] => readdirSync(join(cache, 'blobs')).sort();
export const part = (): string => join(cache, 'blobs', `${HASH}.part`);
export const ranges = (): (string | undefined)[] =>
  hub.fetches().map(({ headers }) => headers.range);

/** The error of a download that must fail. */
export async function failure(more: Partial<DownloadOptions> = {}): Promise<DownloadError> {
  const error = await download(more).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DownloadError);
  return error as DownloadError;
}
