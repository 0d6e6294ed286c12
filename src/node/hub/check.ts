/** Whether the bytes that came are those that the hub announced. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, renameSync, rmSync } from 'node:fs';
import { DownloadError } from '../../errors.ts';
import type { HubFile } from '../../hub/answer.ts';
import { gitPrefix, isGitHash, otherContent, START_BYTES } from '../../hub/content.ts';
import type { PartPaths } from './cache.ts';

/**
 * Compares the content with the SHA-256 of a large file or the git hash of a small one. Where the
 * hub tells neither, it is at least no web page and no LFS pointer.
 * @throws DownloadError (`wrong-bytes`) when they differ; the file is kept aside as `.bad`.
 */
export function assertRightBytes(
  name: string,
  file: HubFile,
  paths: PartPaths,
  sha256: string,
  bytes: number,
): void {
  const found = file.sha256 === undefined ? gitHash(file.etag, paths.part, bytes) : sha256;
  const expected = file.sha256 ?? file.etag;
  const other = whatElse(name, paths.part);
  const isRight = found === undefined ? other === undefined : found === expected;
  if (isRight && bytes === (file.bytes ?? bytes)) return;
  renameSync(paths.part, paths.bad);
  rmSync(paths.partInfo, { force: true });
  const why = other ?? 'a proxy, a mirror or the disk changed it: run it again';
  const asked = found === undefined ? '' : `the hash ${expected} and `;
  const got = found === undefined ? '' : `${found} and `;
  throw new DownloadError(
    'wrong-bytes',
    `${name}: expected ${asked}${file.bytes ?? bytes} bytes, got ${got}${bytes} bytes: ${why}; the wrong file is kept as ${paths.bad}`,
  );
}

/** Why a web page came. */
export const WEB_PAGE =
  'the server sent a web page in place of the file: this network wants a login, or HF_ENDPOINT names no full mirror';

const WHY = {
  pointer: 'the server sent the LFS pointer in place of the file: HF_ENDPOINT names no full mirror',
  page: WEB_PAGE,
} as const;

/** What a file is in place of the one that its name promises, if that can be told. */
function whatElse(name: string, path: string): string | undefined {
  const other = otherContent(name, startOf(path));
  return other && WHY[other];
}

/** The hash of a small file as git makes it; undefined when the hub's ETag is another kind. */
function gitHash(etag: string, path: string, bytes: number): string | undefined {
  if (!isGitHash(etag)) return undefined;
  return createHash('sha1').update(gitPrefix(bytes)).update(readFileSync(path)).digest('hex');
}

function startOf(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(START_BYTES);
    return start.subarray(0, readSync(file, start, 0, START_BYTES, 0));
  } finally {
    closeSync(file);
  }
}
