/** The SHA-256 of a file. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { WeightsError } from '../errors.ts';
import { fileProblem } from './file-problem.ts';

/** Bytes read at once, into one buffer: a new one for each read costs more than the hash. */
const BUFFER_BYTES = 2 ** 20;

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number) => void) | undefined;
}

/**
 * The SHA-256 of a file's bytes in hexadecimal.
 * @throws WeightsError when the file cannot be read; the signal's reason when it is aborted.
 */
export async function sha256OfFile(path: string, options: HashOptions = {}): Promise<string> {
  const { signal, onProgress } = options;
  const failed = (cause: unknown): never => {
    throw new WeightsError(`${path}: cannot be read: ${fileProblem(cause)}`, { cause });
  };
  const hash = createHash('sha256');
  const buffer = new Uint8Array(BUFFER_BYTES);
  const file = await open(path).catch(failed);
  try {
    for (let done = 0; ; onProgress?.(done)) {
      signal?.throwIfAborted();
      const { bytesRead } = await file.read(buffer, 0, BUFFER_BYTES, done).catch(failed);
      if (bytesRead === 0) break;
      hash.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}
