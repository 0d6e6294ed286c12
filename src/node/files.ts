/** Files as the library reads them. */
import { existsSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WeightsError } from '../errors.ts';
import { type ByteSource, checkRange, type ModelFiles } from '../weights/source.ts';
import { fileProblem } from './file-problem.ts';

/** One read call cannot ask for 2 GiB or more. */
const MAX_READ = 2 ** 30;

/**
 * The bytes of a file, by ranges. It is opened for each read, so there is nothing to close.
 * @throws WeightsError when there is no such file or it cannot be read.
 */
export async function openFile(path: string): Promise<ByteSource> {
  const opened = await statFile(path);
  const readInto = async (offset: number, target: Uint8Array<ArrayBuffer>): Promise<void> => {
    checkRange({ name: path, byteLength: opened.size }, offset, target.byteLength);
    const handle = await open(path).catch((error) => {
      throw unreadable(path, error);
    });
    try {
      const { size, mtimeMs } = await handle.stat();
      if (size !== opened.size || mtimeMs !== opened.mtimeMs) {
        throw new WeightsError(`${path}: changed while it was read: load the model again`);
      }
      await readAll(handle, path, offset, target);
    } finally {
      await handle.close();
    }
  };
  return {
    name: path,
    byteLength: opened.size,
    readInto,
    async read(offset, length) {
      checkRange({ name: path, byteLength: opened.size }, offset, length);
      const bytes = new Uint8Array(length);
      await readInto(offset, bytes);
      return bytes;
    },
  };
}

/** The files of a model in a folder. */
export function openFolder(path: string): ModelFiles {
  return {
    name: path,
    async open(file) {
      const full = join(path, file);
      if (existsSync(full)) return openFile(full);
      throw new WeightsError(
        existsSync(path)
          ? `${path}: has no file "${file}"; a model folder holds model.json, gpt.safetensors and vq.safetensors`
          : `${path}: no such model folder`,
      );
    },
  };
}

/** The folder this package lies in, from its sources as well as when built. */
export function packageFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    if (folder === dirname(folder)) throw new Error('the package.json of this package is missing');
    folder = dirname(folder);
  }
  return folder;
}

/** The model of classes that ships with this package. */
export function defaultModelFolder(): string {
  return join(packageFolder(), 'weights', 'fruits-96');
}

/** The model of prompts that ships with this package. */
export function textModelFolder(): string {
  return join(packageFolder(), 'weights', 'scenes-96');
}

async function statFile(path: string): Promise<{ size: number; mtimeMs: number }> {
  const found = await stat(path).catch((error) => {
    throw unreadable(path, error);
  });
  if (!found.isFile()) throw new WeightsError(`${path}: expected a file, got a folder or a device`);
  return found;
}

async function readAll(
  handle: FileHandle,
  path: string,
  offset: number,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const { byteLength } = bytes;
  for (let done = 0; done < byteLength; ) {
    const want = Math.min(MAX_READ, byteLength - done);
    const { bytesRead } = await handle.read(bytes, done, want, offset + done);
    if (bytesRead === 0) throw new WeightsError(`${path}: ended at ${offset + done} bytes`);
    done += bytesRead;
  }
}

function unreadable(path: string, error: unknown): WeightsError {
  return new WeightsError(`${path}: cannot be read: ${fileProblem(error)}`, { cause: error });
}
