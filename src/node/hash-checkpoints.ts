/** Hashes of whole checkpoints, for the records of where a model came from. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { CheckpointOnDisk } from './checkpoint-path.ts';
import { sha256OfFile } from './hash-file.ts';

export interface HashOptions {
  /** SHA-256 in hexadecimal by path, of checkpoints that were hashed before. */
  readonly known?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * SHA-256 of the checkpoints, by path; of shards that of the list which `sha256sum` makes of them, in
 * the order of their names.
 */
export async function hashCheckpoints(
  checkpoints: readonly CheckpointOnDisk[],
  { known = {}, signal, onProgress }: HashOptions = {},
): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map(Object.entries(known));
  const unknown = checkpoints.filter(({ path }) => !hashes.has(path));
  const total = unknown
    .flatMap(({ parts }) => parts)
    .reduce((sum, { byteLength }) => sum + byteLength, 0);
  let before = 0;
  for (const { path, file, parts } of unknown) {
    const list = createHash('sha256');
    for (const { name, byteLength } of parts) {
      const start = before;
      const hash = await sha256OfFile(name, {
        signal,
        onProgress: (done) => onProgress?.(start + done, total),
      });
      if (name === file) hashes.set(path, hash);
      list.update(`${hash}  ${basename(name)}\n`);
      before += byteLength;
    }
    if (!hashes.has(path)) hashes.set(path, list.digest('hex'));
  }
  return hashes;
}
