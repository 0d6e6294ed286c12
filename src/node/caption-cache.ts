/**
 * Features of prompts that were encoded before, so that a repeated prompt needs no text encoder.
 *
 *     captions/<sha256 of encoder and ids>.safetensors
 *
 * A file is written whole and read with care; those that were used longest ago make room for others.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { featuresFile, readFeaturesFile } from '../generate/features-file.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import type { Environment } from './environment.ts';
import { fileProblem } from './file-problem.ts';
import { openFile } from './files.ts';
import { cacheFolder } from './hub/settings.ts';
import { writeFileAtomic } from './output.ts';

/** 250 prompts of FLAN-T5-XL at their full length; thousands of short ones. */
const MAX_BYTES = 256 * 2 ** 20;
const ENDING = '.safetensors';

export interface CaptionCacheOptions {
  /** Default: `captions` in the cache of downloads (`LLAMAGEN_CACHE`). */
  readonly folder?: string | undefined;
  /** Bytes of all files together. Default 256 MiB. */
  readonly maxBytes?: number | undefined;
  /** A line for the user. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** What an encoder made of the ids of a prompt. */
export interface FeaturesOfIds {
  readonly ids: readonly number[];
  readonly features: CaptionFeatures;
}

/** `LLAMAGEN_CACHE` and the like say which folder; see `hubSettings`. */
export const captionsFolder = (env: Environment = process.env): string =>
  join(cacheFolder(env), 'captions');

/** Features by the encoder and the ids that they were made of. */
export class CaptionCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #note: (text: string) => void;

  constructor({
    folder = captionsFolder(),
    maxBytes = MAX_BYTES,
    onNote = () => {},
  }: CaptionCacheOptions = {}) {
    this.#folder = folder;
    this.#maxBytes = maxBytes;
    this.#note = onNote;
  }

  /**
   * @param encoder Tells all apart that features depend on: the weights, how they are computed with.
   * @returns undefined when there are none. A file that is broken counts as none, and says so.
   */
  async get(encoder: string, ids: readonly number[]): Promise<CaptionFeatures | undefined> {
    const path = this.#path(encoder, ids);
    if (!existsSync(path)) return undefined;
    try {
      const file = await readFeaturesFile(await openFile(path));
      const [features] = file.features;
      const wanted = features && digestOf(encoder, ids, features);
      if (!features || file.encoder !== wanted) throw new Error('its bytes were changed');
      touch(path);
      const { values, tokens, dim } = features;
      return { values, tokens, dim };
    } catch (error) {
      this.#note(`${path}: not used, ${fileProblem(error)}: encoding the prompt again`);
      remove(path);
      return undefined;
    }
  }

  /** Keeps features of an encoder. Where that fails a line says so: they are there all the same. */
  keep(encoder: string, made: readonly FeaturesOfIds[]): void {
    if (made.length === 0) return;
    try {
      mkdirSync(this.#folder, { recursive: true });
      for (const { ids, features } of made) {
        const sealed = { features: [features], encoder: digestOf(encoder, ids, features) };
        writeFileAtomic(this.#path(encoder, ids), featuresFile(sealed));
      }
      this.#makeRoom();
    } catch (error) {
      this.#note(`features of prompts are not kept: ${fileProblem(error)}`);
    }
  }

  #path(encoder: string, ids: readonly number[]): string {
    return join(this.#folder, `${sha256(JSON.stringify([encoder, ids]))}${ENDING}`);
  }

  /** Removes what was used longest ago, until the rest is small enough. */
  #makeRoom(): void {
    const files = readdirSync(this.#folder)
      .filter((name) => name.endsWith(ENDING))
      .flatMap((name) => {
        const path = join(this.#folder, name);
        // Another process may have removed it.
        const found = statSync(path, { throwIfNoEntry: false });
        return found ? [{ path, bytes: found.size, usedAt: found.mtimeMs }] : [];
      })
      .sort((a, b) => b.usedAt - a.usedAt);
    let bytes = 0;
    for (const file of files) {
      bytes += file.bytes;
      if (bytes > this.#maxBytes) remove(file.path);
    }
  }
}

/** What a file says of itself: its place and its values, so that neither can be others unnoticed. */
function digestOf(encoder: string, ids: readonly number[], { values }: CaptionFeatures): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return createHash('sha256')
    .update(JSON.stringify([encoder, ids]))
    .update(bytes)
    .digest('hex');
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Removes a file, if others have not done so or forbid it. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What cannot be removed is not used either.
  }
}

/** Marks a file as used now. */
function touch(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // A cache that others own can be read all the same.
  }
}
