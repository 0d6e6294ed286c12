/** An output that is written piece by piece. */
import { renameSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { fileProblem } from './file-problem.ts';
import { isSpecial, temporaryName } from './output.ts';
import { realTarget } from './real-path.ts';

/** Its methods throw Errors that name the output. */
export interface Output {
  /** Writes the next bytes, once those before are written. */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends it: a file is put in its place. */
  commit(): Promise<void>;
  /** Removes what was written of a file, unless it is in its place. */
  discard(): void;
}

/**
 * A file that is made when its first bytes are written: beside its place, and put there by `commit`,
 * so that it is whole or not there. It is also removed when the process exits before that. Devices
 * and pipes are written in place.
 */
export function outputFile(path: string): Output {
  let handle: FileHandle | undefined;
  let staged: { readonly beside: string; readonly target: string } | undefined;
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (cause) {
      throw new Error(`cannot write ${path}: ${fileProblem(cause)}`, { cause });
    }
  };
  const begin = async (): Promise<FileHandle> => {
    if (isSpecial(path)) return open(path, 'w');
    const target = realTarget(path);
    staged = { beside: temporaryName(target), target };
    process.on('exit', discard);
    return open(staged.beside, 'wx');
  };
  const discard = (): void => {
    process.off('exit', discard);
    void handle?.close().catch(() => {}); // nobody needs what is in it
    if (staged) rmSync(staged.beside, { force: true });
    handle = staged = undefined;
  };
  return {
    write: (bytes) =>
      attempt(async () => {
        handle ??= await begin();
        await handle.writeFile(bytes);
      }),
    commit: () =>
      attempt(async () => {
        if (staged) await handle?.sync();
        await handle?.close();
        handle = undefined;
        if (staged) renameSync(staged.beside, staged.target);
        staged = undefined;
        process.off('exit', discard);
      }),
    discard,
  };
}

/** Bytes to a stream that is not ours to end, such as standard output. */
export function outputStream(stream: NodeJS.WritableStream, name: string): Output {
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, (cause?: Error | null) => {
          if (!cause) resolve();
          else reject(new Error(`cannot write to ${name}: ${fileProblem(cause)}`, { cause }));
        });
      }),
    commit: async () => {},
    discard() {},
  };
}
