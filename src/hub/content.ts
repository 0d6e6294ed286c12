/** What comes in place of a file. */
import { isWebPage, isWebPageName } from '../weights/web-page.ts';

/** How the files that stand for large ones in git begin. */
const LFS_POINTER = 'version https://git-lfs.github.com/spec/';

/** Enough of a file to tell what it is. */
export const START_BYTES = 256;

/**
 * What a file is in place of the one that its name promises, if that can be told.
 * @param start Its first bytes, at least START_BYTES where it has as many.
 */
export function otherContent(name: string, start: Uint8Array): 'pointer' | 'page' | undefined {
  const text = new TextDecoder().decode(start.subarray(0, START_BYTES));
  if (text.startsWith(LFS_POINTER)) return 'pointer';
  return isWebPage(start) && !isWebPageName(name) ? 'page' : undefined;
}

const GIT_HASH = /^[0-9a-f]{40}$/;

/** Whether a version is named by the hash that git gives its content. */
export const isGitHash = (version: string): boolean => GIT_HASH.test(version);

/** What git hashes in front of a content of so many bytes. */
export const gitPrefix = (bytes: number): string => `blob ${bytes}\0`;
