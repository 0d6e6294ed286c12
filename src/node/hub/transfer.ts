/** The bytes of one file, from where the last try stopped. */
import type { Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { DownloadError } from '../../errors.ts';
import type { Asked } from '../../hub/address.ts';
import type { HubFile } from '../../hub/answer.ts';
import { TransientError } from '../../hub/transient.ts';
import { isWebPageName, isWebPageType } from '../../weights/web-page.ts';
import type { PartPaths } from './cache.ts';
import { WEB_PAGE } from './check.ts';
import { assertSpace, type FreeBytes } from './disk.ts';
import { contentRange, getBytes } from './get.ts';
import { type HubHttp, header, type Response } from './http.ts';
import {
  discard,
  hashOf,
  isSystemError,
  keepValidator,
  partValidator,
  validatorOf,
  writeAll,
  writeError,
} from './part-file.ts';
import type { DownloadProgress } from './progress.ts';
import type { HubSettings, HubTiming } from './settings.ts';

/** Between two looks at whether the lock is still held. */
export const LOCK_CHECK_MS = 1000;

export interface Transfer {
  readonly http: HubHttp;
  readonly asked: Asked;
  readonly file: HubFile;
  readonly paths: PartPaths;
  readonly settings: HubSettings;
  readonly timing: HubTiming;
  readonly freeBytes: FreeBytes;
  readonly signal: AbortSignal | undefined;
  assertHeld(): void;
  onProgress(progress: DownloadProgress): void;
}

/**
 * Fetches what is missing of the part file.
 * @returns SHA-256 and length of the part file, which is as long as the hub says.
 * @throws TransientError when the connection breaks; the part file keeps what came.
 */
export async function transfer(context: Transfer): Promise<{ sha256: string; bytes: number }> {
  const { paths, file, signal, asked, settings } = context;
  const handle = await open(paths.part, 'r+').catch(() => open(paths.part, 'w+'));
  try {
    const size = (await handle.stat()).size;
    const isUsable = size > 0 && size <= (file.bytes ?? Number.POSITIVE_INFINITY);
    if (isUsable && size === file.bytes) {
      return { sha256: (await hashOf(paths.part, size, signal)).digest('hex'), bytes: size };
    }
    const validator = isUsable ? partValidator(paths) : undefined;
    // Without a hash to check at the end, bytes are joined only when the server vouches for them.
    const from = isUsable && (file.sha256 !== undefined || validator !== undefined) ? size : 0;
    const response = await request(context, from, validator);
    assertIsFile(context, response, size);
    const start = response.statusCode === 206 ? from : 0;
    const total = lengthOf(response, start) ?? file.bytes;
    if (total !== undefined) {
      assertSize(context, response, total, size);
      await assertSpace(settings.cache, total - start, asked.file, context.freeBytes);
    }
    if (start < size) await handle.truncate(start);
    keepValidator(paths, validatorOf(response));
    const hash = await hashOf(paths.part, start, signal);
    const bytes = await receive(context, response, { handle, hash, start, total });
    await handle.sync();
    return { sha256: hash.digest('hex'), bytes };
  } catch (error) {
    throw isSystemError(error) ? writeError(asked.file, paths.part, error) : error;
  } finally {
    await handle.close();
  }
}

async function request(
  context: Transfer,
  from: number,
  validator: string | undefined,
): Promise<Response> {
  const { file, asked, paths } = context;
  const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
  if (from > 0 && validator !== undefined) headers['if-range'] = validator;
  const response = await getBytes(context, headers);
  const { statusCode: status } = response;
  if (status === 200) return response;
  if (status === 206 && from > 0) {
    checkRange(response, from, context);
    return response;
  }
  await response.body.dump();
  if (status === 416) discard(paths);
  throw new TransientError('server', `${asked.file}: ${file.url.host} answered ${status}`);
}

/** Refuses another range than the one that was asked for. */
function checkRange(response: Response, from: number, { asked, file, paths }: Transfer): void {
  const { text, first, last, total } = contentRange(response);
  const isWhole = total === undefined || file.bytes === undefined || total === file.bytes;
  if (last !== undefined && first === from && isWhole) return;
  response.body.destroy();
  discard(paths);
  throw new TransientError(
    'server',
    `${asked.file}: asked for the bytes from ${from}, got "${text}": starting again`,
  );
}

/**
 * Refuses what cannot be the file before bytes that are here give way to it: a web page, unless its
 * length says that the server only calls the file so, and an answer that is packed.
 */
function assertIsFile({ asked, file }: Transfer, response: Response, size: number): void {
  const packed = header(response, 'content-encoding') ?? 'identity';
  const length = lengthOf(response, 0);
  const isLong = size === 0 && file.bytes !== undefined && length === file.bytes;
  const isChecked = file.sha256 !== undefined && isLong;
  const isPage = isWebPageType(header(response, 'content-type')) && !isWebPageName(asked.file);
  if (packed === 'identity' && (isChecked || !isPage)) return;
  response.body.destroy();
  if (packed === 'identity') throw new DownloadError('wrong-bytes', `${asked.file}: ${WEB_PAGE}`);
  throw new DownloadError(
    'server',
    `${asked.file}: the server compresses it (Content-Encoding: ${packed}) although it was asked not to: switch that off in the mirror or proxy`,
  );
}

/**
 * Refuses a body longer than the hub announced. A shorter one fails the check of the content, which
 * knows what it is, but takes the place of no bytes that are here.
 */
function assertSize(
  { asked, file }: Transfer,
  response: Response,
  total: number,
  size: number,
): void {
  if (file.bytes === undefined || total === file.bytes) return;
  if (total < file.bytes && size === 0) return;
  response.body.destroy();
  throw new DownloadError(
    'wrong-bytes',
    `${asked.file}: the hub announced ${file.bytes} bytes, and the server has ${total}: another file is in its place`,
  );
}

interface Sink {
  readonly handle: FileHandle;
  readonly hash: Hash;
  readonly start: number;
  readonly total: number | undefined;
}

async function receive(context: Transfer, response: Response, sink: Sink): Promise<number> {
  const { asked, file, http, signal, assertHeld, onProgress } = context;
  const { handle, hash, start, total } = sink;
  const report = (doneBytes: number): void =>
    onProgress({
      doneBytes,
      resumedBytes: start,
      totalBytes: total,
    });
  let done = start;
  let checkedAt = performance.now();
  report(done);
  const chunks = response.body[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks.next().catch((cause) => {
      throw http.interrupted(file.url, cause);
    });
    if (next.done) break;
    signal?.throwIfAborted();
    const chunk: Uint8Array = next.value;
    if (total !== undefined && done + chunk.byteLength > total) {
      // Nothing more is taken: a server that never ends must not fill the disk.
      await chunks.return?.();
      discard(context.paths);
      throw new TransientError('server', `${asked.file}: got more than its ${total} bytes`);
    }
    if (performance.now() - checkedAt >= LOCK_CHECK_MS) {
      assertHeld();
      checkedAt = performance.now();
    }
    await writeAll(handle, chunk, done);
    hash.update(chunk);
    done += chunk.byteLength;
    report(done);
  }
  if (total === undefined || done === total) return done;
  throw new TransientError(
    'network',
    `${asked.file}: the connection was cut after ${done} of ${total} bytes`,
  );
}

function lengthOf(response: Response, start: number): number | undefined {
  const length = header(response, 'content-length');
  return length === undefined ? undefined : start + Number(length);
}
