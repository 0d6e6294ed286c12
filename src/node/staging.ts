/** A folder that appears whole or not at all. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { OptionError } from '../errors.ts';
import type { ByteSink } from '../weights/safetensors-writer.ts';
import { fileProblem } from './file-problem.ts';
import { assertFolderWritable } from './output.ts';

export interface StagedFolder {
  /**
   * Writes one file; it is on the disk when this resolves.
   * @throws Error that names the file when it cannot be written.
   */
  write(name: string, fill: (sink: ByteSink) => Promise<void>): Promise<void>;
  /** Puts the folder in its place. */
  commit(): void;
  /** Removes everything, unless the folder is in its place. */
  discard(): void;
}

/** Space that is left to others. */
const SPARE_BYTES = 2 ** 20;

/**
 * Checks that a folder can be made at `path`, which must not exist or be empty.
 * @throws OptionError that says why not.
 */
export function assertFolderFree(path: string): void {
  if (path === '') throw new OptionError('expected a folder to write to, got an empty path');
  if (basename(resolve(path)) === '')
    throw new OptionError(`cannot write to ${path}: it is a root`);
  assertFolderWritable(dirname(resolve(path)));
  if (!existsSync(path)) return;
  assertFolderWritable(path);
  if (readdirSync(path).length > 0) {
    throw new OptionError(
      `cannot write to ${path}: it has files already; remove it or choose another folder`,
    );
  }
}

/**
 * Begins a folder beside its place. It is also removed when the process exits before `commit`.
 * @param needed Bytes that will be written.
 * @throws OptionError when the disk has fewer.
 */
export async function stageFolder(path: string, needed: number): Promise<StagedFolder> {
  const target = resolve(path);
  const beside = join(dirname(target), `${basename(target)}.${randomUUID().slice(0, 8)}.tmp`);
  const made = mkdirSync(beside, { recursive: true }) ?? beside;
  const discard = (): void => {
    process.off('exit', discard);
    rmSync(beside, { recursive: true, force: true });
    removeEmpty(dirname(beside), made);
  };
  process.on('exit', discard);
  try {
    await assertSpace(path, beside, needed);
  } catch (error) {
    discard();
    throw error;
  }
  return {
    write: (name, fill) => writeFile(join(beside, name), join(path, name), fill),
    commit() {
      try {
        if (existsSync(target)) rmdirSync(target);
        renameSync(beside, target);
      } catch (cause) {
        throw new Error(`cannot write ${path}: ${fileProblem(cause)}`, { cause });
      }
      process.off('exit', discard);
    },
    discard,
  };
}

/** Removes a folder and those around it, up to and with `last`, as far as they are empty. */
function removeEmpty(folder: string, last: string): void {
  if (folder.length < last.length) return;
  try {
    rmdirSync(folder);
  } catch {
    return; // others have put something there
  }
  removeEmpty(dirname(folder), last);
}

async function assertSpace(path: string, folder: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free < needed + SPARE_BYTES) {
    throw new OptionError(
      `cannot write to ${path}: it needs ${megabytes(needed)}, but the disk has only ${megabytes(free)} free`,
    );
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

/** @param shown What to call the file in messages. */
async function writeFile(
  path: string,
  shown: string,
  fill: (sink: ByteSink) => Promise<void>,
): Promise<void> {
  const failed = (cause: unknown): Error =>
    new Error(`cannot write ${shown}: ${fileProblem(cause)}`, { cause });
  const file = await open(path, 'wx').catch((cause) => {
    throw failed(cause);
  });
  try {
    await fill({
      write: (bytes) =>
        writeAll(file, bytes).catch((cause) => {
          throw failed(cause);
        }),
    });
    await file.sync();
  } finally {
    await file.close();
  }
}

/** One call may write less than it was given. */
async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done)).bytesWritten;
  }
}
