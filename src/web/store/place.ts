/** Where small files are kept, by path: what OPFS, the Cache API and memory have in common. */
import type { StoreKind } from './types.ts';

export type Bytes = Uint8Array<ArrayBuffer>;

/** A file as it was when it was looked up. */
export interface Held {
  readonly byteLength: number;
  /** @throws when it changed or went away meanwhile. */
  read(offset: number, length: number): Promise<Bytes>;
}

/** Paths are names joined by slashes, of letters, digits, dots and dashes. */
export interface Place {
  readonly kind: StoreKind;
  /** @returns undefined where there is no such file. */
  get(path: string): Promise<Held | undefined>;
  /**
   * Writes a file, in the place of the one that was there. It may be torn when the browser ends meanwhile.
   * @throws the browser's QuotaExceededError when there is no room.
   */
  put(path: string, parts: readonly Bytes[]): Promise<void>;
  /** Names of the files and folders in a folder, '' for the uppermost; none where there is no such folder. */
  names(folder: string): Promise<string[]>;
  /** Removes a folder with all that is in it; nothing happens where there is none. */
  remove(folder: string): Promise<void>;
}

/** For reads that may fail: browsers reject those of what is broken, was written anew or removed meanwhile. */
export const gone = (): undefined => undefined;

/** Whether a browser refused a write for want of room. */
export const isQuotaError = (error: unknown): boolean =>
  error instanceof Error && error.name === 'QuotaExceededError';

/** A blob of a browser. */
export const heldBlob = (blob: Blob): Held => ({
  byteLength: blob.size,
  read: async (offset, length) =>
    new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
});

/** Names directly within a folder, of the paths of all files. */
export function namesWithin(folder: string, paths: readonly string[]): string[] {
  const prefix = folder === '' ? '' : `${folder}/`;
  const within = paths.filter((path) => path.startsWith(prefix));
  return [...new Set(within.map((path) => path.slice(prefix.length).split('/')[0] ?? ''))];
}
