/** Some tensors of a safetensors file of the hub: the rest of it is not fetched. */
import type { Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { DownloadError, WeightsError } from '../../errors.ts';
import type { Asked } from '../../hub/address.ts';
import { type HubFile, isSha256 } from '../../hub/answer.ts';
import { retrying } from '../../hub/retry.ts';
import { TransientError } from '../../hub/transient.ts';
import { openSafetensors, type Safetensors } from '../../weights/safetensors.ts';
import { openFile } from '../files.ts';
import { ByteRanges } from './byte-ranges.ts';
import { assertSpace } from './disk.ts';
import type { DownloadedFile, DownloadOptions } from './download-options.ts';
import {
  discard,
  hashOf,
  isSystemError,
  keepValidator,
  partValidator,
  writeAll,
  writeError,
} from './part-file.ts';
import {
  cached,
  fetched,
  offlineFile,
  type Run,
  resolveOrCached,
  transferOf,
  withRun,
} from './run.ts';
import {
  keptOf,
  type PartialFile,
  planPartialFile,
  restOf,
  type TensorRun,
} from './tensor-runs.ts';
import { LOCK_CHECK_MS, type Transfer } from './transfer.ts';

/** Which tensors of a file are wanted. */
export interface TensorChoice {
  /** Names the choice in the cache: another choice has another name. */
  readonly name: string;
  wants(tensor: string): boolean;
}

/**
 * The chosen tensors of a safetensors file of the hub, as a safetensors file of this machine. What was
 * fetched before is used again, and a download that was cut goes on where it stopped. The hub tells a
 * hash of whole files only: what comes is checked for its version, its ranges and its length.
 * @throws DownloadError as `downloadFile`; WeightsError when the file of the hub is no safetensors file.
 */
export async function downloadTensors(
  options: DownloadOptions,
  choice: TensorChoice,
): Promise<DownloadedFile> {
  return withRun(options, (run) =>
    fetched(run, {
      asked: chosen(run, choice),
      version: partOf,
      fetch: (version, place) => transferTensors(transferOf(run, version, place), choice),
    }),
  );
}

/**
 * Whether the chosen tensors of the file's version on the hub are in the cache.
 * @throws DownloadError as `downloadFile`.
 */
export async function tensorsAreHere(
  options: DownloadOptions,
  choice: TensorChoice,
): Promise<boolean> {
  return withRun(options, async (run) => {
    const asked = chosen(run, choice);
    if (run.settings.offline) return offlineFile(run, asked) !== undefined;
    const file = await retrying(run.retry, () => resolveOrCached(run, asked));
    return 'path' in file || cached(run.cache, asked, partOf(file)) !== undefined;
  });
}

/** What the chosen tensors are called in the cache. */
const chosen = ({ asked }: Run, { name }: TensorChoice): Asked => ({
  ...asked,
  file: `${asked.file}#${name}`,
});

/** A version without the hash of the whole file. */
const partOf = ({ sha256: _, ...version }: HubFile): HubFile => version;

async function transferTensors(
  context: Transfer,
  choice: TensorChoice,
): Promise<{ sha256: string; bytes: number }> {
  const { paths, signal, asked } = context;
  const ranges = new ByteRanges(context, partValidator(paths));
  const isVouchedFor = ranges.validator !== undefined || isSha256(context.file.etag);
  const plan = planPartialFile(await headerOf(ranges), choice.wants, { format: 'pt' });
  if (plan.runs.length === 0) {
    throw new DownloadError('wrong-bytes', `${asked.repo}/${asked.file} has none of the tensors`);
  }
  const handle = await open(paths.part, 'r+').catch(() => open(paths.part, 'w+'));
  try {
    const start = isVouchedFor ? await usableBytes(handle, plan) : 0;
    await handle.truncate(start);
    const sink = { handle, hash: await hashOf(paths.part, start, signal), start, done: start };
    await receive(context, ranges, plan, sink);
    await handle.sync();
    context.assertHeld();
    await assertWhole(context, plan);
    return { sha256: sink.hash.digest('hex'), bytes: sink.done };
  } catch (error) {
    throw isSystemError(error) ? writeError(asked.file, paths.part, error) : error;
  } finally {
    await handle.close();
  }
}

async function headerOf(ranges: ByteRanges): Promise<Safetensors> {
  return openSafetensors(await ranges.source());
}

/** Bytes of the part file that are the beginning of the planned one. */
async function usableBytes(
  handle: FileHandle,
  { header, byteLength }: PartialFile,
): Promise<number> {
  const { size } = await handle.stat();
  if (size < header.byteLength || size > byteLength) return 0;
  const there = new Uint8Array(header.byteLength);
  await handle.read(there, 0, there.byteLength, 0);
  return Buffer.compare(there, header) === 0 ? size : 0;
}

interface Sink {
  readonly handle: FileHandle;
  readonly hash: Hash;
  /** Bytes that were there before. */
  readonly start: number;
  /** Bytes that are there now. */
  done: number;
}

async function receive(
  context: Transfer,
  ranges: ByteRanges,
  { header, runs, byteLength }: PartialFile,
  sink: Sink,
): Promise<void> {
  const { settings, asked, freeBytes, paths, onProgress } = context;
  const report = (): void =>
    onProgress({ doneBytes: sink.done, resumedBytes: sink.start, totalBytes: byteLength });
  await assertSpace(settings.cache, byteLength - sink.done, asked.file, freeBytes);
  if (sink.done === 0) await append(sink, header);
  keepValidator(paths, ranges.validator);
  report();
  for (const run of runs) {
    const rest = restOf(run, sink.done);
    if (rest) await receiveRun(context, ranges, rest, sink, report);
  }
}

async function receiveRun(
  context: Transfer,
  ranges: ByteRanges,
  run: TensorRun,
  sink: Sink,
  report: () => void,
): Promise<void> {
  const { asked, file, http, signal, assertHeld } = context;
  const { response } = await ranges.request(run.begin, run.end - 1);
  let at = run.begin;
  let checkedAt = performance.now();
  const chunks = response.body[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks.next().catch((cause) => {
      throw http.interrupted(file.url, cause);
    });
    if (next.done) break;
    signal?.throwIfAborted();
    const chunk: Uint8Array<ArrayBuffer> = next.value;
    if (at + chunk.byteLength > run.end) {
      await chunks.return?.();
      discard(context.paths);
      throw new TransientError('server', `${asked.file}: got more bytes than were asked for`);
    }
    if (performance.now() - checkedAt >= LOCK_CHECK_MS) {
      assertHeld();
      checkedAt = performance.now();
    }
    for (const kept of keptOf(run, chunk, at)) await append(sink, kept);
    at += chunk.byteLength;
    report();
  }
  if (at === run.end) return;
  throw new TransientError(
    'network',
    `${asked.file}: the connection was cut ${run.end - at} bytes before the end of a range`,
  );
}

async function append(sink: Sink, bytes: Uint8Array): Promise<void> {
  await writeAll(sink.handle, bytes, sink.done);
  sink.hash.update(bytes);
  sink.done += bytes.byteLength;
}

/** Reads the new file as whoever uses it will: its tensors cover its bytes exactly. */
async function assertWhole({ paths, asked }: Transfer, { byteLength }: PartialFile): Promise<void> {
  const source = await openFile(paths.part);
  await openSafetensors(source);
  if (source.byteLength === byteLength) return;
  discard(paths);
  throw new WeightsError(`${asked.file}: expected ${byteLength} bytes, got ${source.byteLength}`);
}
