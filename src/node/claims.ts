/** That the files of a run do not overwrite each other, whatever they are called. */
import { existsSync, fstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OptionError } from '../errors.ts';
import { fileProblem } from './file-problem.ts';
import { identitiesOf, numberOf, realTarget } from './real-path.ts';

/** Files of a model folder that are read, or would be if they were there; others are its shards. */
const MODEL_FILES = [
  'model.json',
  'gpt.safetensors',
  'vq.safetensors',
  't5.safetensors',
  't5.json',
  'tokenizer.json',
] as const;
const WEIGHTS_FILE = /\.safetensors(\.index\.json)?$/i;

/** Files and folders that a run reads or writes, and by which name they were given. */
export class Claims {
  readonly #owners = new Map<string, string>();

  /** Notes a file or folder that is read and must stay. */
  reads(name: string, path: string): void {
    for (const identity of identified(path)) this.#owners.set(identity, name);
  }

  /** Notes a model folder and its files. */
  readsModel(name: string, folder: string): void {
    this.reads(name, folder);
    const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
    const there = isFolder ? readdirSync(folder).filter((file) => WEIGHTS_FILE.test(file)) : [];
    const weights = MODEL_FILES.filter((file) => WEIGHTS_FILE.test(file));
    const indices = weights.map((file) => `${file}.index.json`);
    for (const file of new Set([...MODEL_FILES, ...indices, ...there])) {
      this.reads(`${file} of ${name}`, join(folder, file));
    }
  }

  /** Notes what a file descriptor leads to, where it is a file: standard output that was redirected. */
  keepsOpen(name: string, descriptor: number): void {
    const stat = fstatSync(descriptor, { bigint: true });
    if (stat.isFile()) this.#owners.set(numberOf(stat), name);
  }

  /**
   * Notes a file that will be written.
   * @throws OptionError when it is read or written by another name too.
   */
  writes(name: string, path: string): void {
    this.#claim(name, path, identified(path));
  }

  /**
   * Notes a folder, and files that will be written in it. The files' names differ.
   * @throws OptionError when one of them is read or written by another name too.
   */
  writesInto(name: string, folder: string, files: Iterable<string>): void {
    this.writes(name, folder);
    const real = realTarget(folder);
    // Those around it that will be made too.
    for (let made = real; !existsSync(made); ) {
      made = dirname(made);
      if (!existsSync(made)) this.#claim(name, made, [made]);
    }
    const there = existsSync(real) ? readdirSync(real).map((file) => file.toLowerCase()) : [];
    const listed = new Set(there);
    for (const file of files) {
      const path = join(real, file);
      const exists = listed.has(file.toLowerCase());
      if (exists && statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
        throw new OptionError(`cannot write ${join(folder, file)}: it is a folder`);
      }
      // Only what exists can be a link.
      const identities = exists ? identified(path) : [path];
      const owned = this.#check(name, join(folder, file), identities);
      if (exists) for (const identity of owned) this.#owners.set(identity, `${file} in ${name}`);
    }
  }

  #claim(name: string, path: string, identities: readonly string[]): void {
    for (const identity of this.#check(name, path, identities)) this.#owners.set(identity, name);
  }

  #check(name: string, path: string, identities: readonly string[]): readonly string[] {
    const owner = identities.map((identity) => this.#owners.get(identity)).find(Boolean);
    if (owner === undefined) return identities;
    const kind = statSync(path, { throwIfNoEntry: false })?.isDirectory() ? 'folder' : 'file';
    throw new OptionError(`${name} and ${owner} are the same ${kind}: ${path}; choose another one`);
  }
}

function identified(path: string): string[] {
  try {
    return identitiesOf(path);
  } catch (cause) {
    throw new OptionError(`${path}: ${fileProblem(cause)}`, { cause });
  }
}
