/** The first bytes of a download, and whose they are. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, rmSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { DownloadError } from '../../errors.ts';
import { fileProblem } from '../file-problem.ts';
import { writeFileAtomic } from '../output.ts';
import { type PartPaths, readJson } from './cache.ts';
import { header, type Response } from './http.ts';

/** One call may write less than it was given. */
export async function writeAll(
  handle: FileHandle,
  chunk: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < chunk.byteLength; ) {
    const left = chunk.byteLength - done;
    const { bytesWritten } = await handle.write(chunk, done, left, position + done);
    done += bytesWritten;
  }
}

/** The hash so far of a part file. */
export async function hashOf(
  path: string,
  bytes: number,
  signal: AbortSignal | undefined,
): Promise<Hash> {
  const hash = createHash('sha256');
  if (bytes === 0) return hash;
  const chunks = createReadStream(path, { end: bytes - 1, highWaterMark: 2 ** 20 });
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    hash.update(chunk);
  }
  return hash;
}

/** The version of the part file as the server that sent it calls it. */
export function partValidator({ partInfo }: PartPaths): string | undefined {
  const info = readJson(partInfo);
  if (typeof info !== 'object' || info === null || !('etag' in info)) return undefined;
  return typeof info.etag === 'string' ? info.etag : undefined;
}

/** How a server calls the version that it sends; undefined where it has no name that vouches for its bytes. */
export function validatorOf(response: Response): string | undefined {
  const etag = header(response, 'etag');
  // Weak ones promise the same meaning, not the same bytes.
  return etag?.startsWith('W/') ? undefined : etag;
}

/** Keeps the version of the part file for the next try. */
export function keepValidator({ partInfo }: PartPaths, etag: string | undefined): void {
  if (etag === undefined) rmSync(partInfo, { force: true });
  else writeFileAtomic(partInfo, `${JSON.stringify({ etag })}\n`);
}

/** Lets the next try begin at the first byte. */
export function discard({ part, partInfo }: PartPaths): void {
  for (const path of [part, partInfo]) rmSync(path, { force: true });
}

/** Whether the disk failed, and not a server. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && !(error instanceof DownloadError);
}

/** The error for a part file that cannot be written. */
export function writeError(file: string, path: string, cause: unknown): DownloadError {
  const message = `${file}: cannot write ${path}: ${fileProblem(cause)}; what came is kept`;
  return new DownloadError('disk', message, { cause });
}
