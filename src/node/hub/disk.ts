/** Free space, asked before it is needed. */
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DownloadError } from '../../errors.ts';

/** Tells how many bytes a user may still write into a folder; tests give their own. */
export type FreeBytes = (folder: string) => Promise<number>;

/** Left to the rest of the machine. */
const MARGIN = 64 * 2 ** 20;

/** What the file system says of a folder, or of the nearest one that is there. */
export const freeBytes: FreeBytes = async (folder) => {
  let place = resolve(folder);
  while (!existsSync(place) && place !== dirname(place)) place = dirname(place);
  const { bavail, bsize } = await statfs(place);
  return bavail * bsize;
};

/**
 * @param needed Bytes about to be written into `folder`.
 * @param what What they are, for the message.
 * @throws DownloadError (`disk`) with what is there and what is needed.
 */
export async function assertSpace(
  folder: string,
  needed: number,
  what: string,
  free: FreeBytes,
): Promise<void> {
  const there = await free(folder);
  if (there >= needed + MARGIN) return;
  throw new DownloadError(
    'disk',
    `${what} needs ${sized(needed)}, and ${folder} has ${sized(there)} free: make room, or choose another place`,
  );
}

const sized = (bytes: number): string =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
