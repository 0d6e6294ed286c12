/** Which file a path means, whatever it is called. */
import { type BigIntStats, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve, sep } from 'node:path';

/**
 * The path of the file that would be written at `path`: links are followed, also those to nothing,
 * and `..` as the system does it, from where a link leads.
 * @throws Error of the file system, such as one for links in a circle.
 */
export function realTarget(path: string): string {
  try {
    return realpathSync.native(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  const link = readLink(path);
  if (link !== undefined) {
    return realTarget(isAbsolute(link) ? link : `${dirname(path)}${sep}${link}`);
  }
  const folder = dirname(path);
  return folder === path ? resolve(path) : join(realTarget(folder), basename(path));
}

/**
 * What a file is known by: its real path, and where it exists its number on its disk, which other
 * names of it share. Empty for character devices such as /dev/null: many may write there.
 */
export function identitiesOf(path: string): string[] {
  const real = realTarget(path);
  const found = statSync(real, { bigint: true, throwIfNoEntry: false });
  if (!found) return [real];
  if (found.isCharacterDevice()) return [];
  // Some file systems number nothing.
  return found.ino === 0n ? [real] : [real, numberOf(found)];
}

/** The number of a file, the same under all its names. */
export const numberOf = ({ dev, ino }: Pick<BigIntStats, 'dev' | 'ino'>): string => `${dev}:${ino}`;

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // no link, or nothing at all
  }
}
