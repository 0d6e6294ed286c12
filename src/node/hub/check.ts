/** Whether the bytes that came are those that the hub announced. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, renameSync, rmSync } from 'node:fs';
import { DownloadError } from '../../errors.ts';
import type { PartPaths } from './cache.ts';
import type { HubFile } from './resolve.ts';

const GIT_HASH = /^[0-9a-f]{40}$/;

/** How the files that stand for large ones in git begin. */
const LFS_POINTER = 'version https://git-lfs.github.com/spec/';

/**
 * Compares the content with the SHA-256 of a large file or the git hash of a small one.
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
  const isRightHash = found === undefined || found === expected;
  if (isRightHash && bytes === (file.bytes ?? bytes)) return;
  const isPointer = startsWith(paths.part, LFS_POINTER);
  renameSync(paths.part, paths.bad);
  rmSync(paths.partInfo, { force: true });
  const why = isPointer
    ? 'the server sent the LFS pointer in place of the file: HF_ENDPOINT names no full mirror'
    : 'a proxy, a mirror or the disk changed it: run it again';
  throw new DownloadError(
    'wrong-bytes',
    `${name}: expected the hash ${expected} and ${file.bytes ?? bytes} bytes, got ${found ?? 'another file'} and ${bytes} bytes: ${why}; the wrong file is kept as ${paths.bad}`,
  );
}

/** The hash of a small file as git makes it; undefined when the hub's ETag is another kind. */
function gitHash(etag: string, path: string, bytes: number): string | undefined {
  if (!GIT_HASH.test(etag)) return undefined;
  return createHash('sha1').update(`blob ${bytes}\0`).update(readFileSync(path)).digest('hex');
}

function startsWith(path: string, text: string): boolean {
  const file = openSync(path, 'r');
  try {
    const start = Buffer.alloc(text.length);
    readSync(file, start, 0, start.byteLength, 0);
    return start.toString('latin1') === text;
  } finally {
    closeSync(file);
  }
}
