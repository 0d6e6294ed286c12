/** Output files: checked before the work, whole or absent after it. */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { OptionError } from '../errors.ts';
import { fileProblem } from './file-problem.ts';
import { realTarget } from './real-path.ts';

/**
 * Writes a file so that it is either whole or not there: beside its place, then renamed. It works
 * synchronously, so that no signal comes between. Devices and pipes are written in place.
 * @throws Error that names the path when it cannot be written; what was there before stays.
 */
export function writeFileAtomic(path: string, bytes: Uint8Array | string): void {
  try {
    if (isSpecial(path)) {
      writeFileSync(path, bytes);
      return;
    }
    const target = realTarget(path);
    const beside = temporaryName(target);
    try {
      const file = openSync(beside, 'wx');
      try {
        writeFileSync(file, bytes);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(beside, target);
    } catch (error) {
      rmSync(beside, { force: true });
      throw error;
    }
  } catch (cause) {
    throw new Error(`cannot write ${path}: ${fileProblem(cause)}`, { cause });
  }
}

/**
 * Checks before expensive work that `writeFileAtomic` will work, by making a file beside `path`.
 * @throws OptionError that says why not.
 */
export function assertWritable(path: string): void {
  try {
    if (path === '') throw new Error('the path is empty');
    if (isSpecial(path)) return;
    if (path.endsWith('/') || path.endsWith(sep)) throw new Error('it names a folder');
    const target = realTarget(path);
    if (existsSync(target)) closeSync(openSync(target, 'r+'));
    probe(target);
  } catch (cause) {
    throw new OptionError(`cannot write ${path}: ${fileProblem(cause)}`, { cause });
  }
}

/**
 * Checks that files can be made in a folder, or that it can be made.
 * @throws OptionError that says why not.
 */
export function assertFolderWritable(path: string): void {
  try {
    if (path === '') throw new Error('the path is empty');
    let folder = resolve(realTarget(path));
    while (!existsSync(folder)) folder = dirname(folder);
    if (!statSync(folder).isDirectory()) throw new Error(`${folder} is not a folder`);
    probe(join(folder, 'probe'));
  } catch (cause) {
    throw new OptionError(`cannot write to ${path}: ${fileProblem(cause)}`, { cause });
  }
}

/** A name for what becomes `path` when it is whole. */
export function temporaryName(path: string): string {
  return `${path}.${randomUUID().slice(0, 8)}.tmp`;
}

function probe(path: string): void {
  const beside = temporaryName(path);
  closeSync(openSync(beside, 'wx'));
  rmSync(beside);
}

/** Whether a path names something that a rename must not replace. */
export function isSpecial(path: string): boolean {
  if (!existsSync(path)) return false;
  const found = statSync(path);
  if (found.isDirectory()) throw new Error('it is a folder');
  return !found.isFile();
}
