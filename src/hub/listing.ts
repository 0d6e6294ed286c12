/** The list of the files of a repository, as the hub's API gives it. */
import { DownloadError } from '../errors.ts';
import { isSha256 } from './answer.ts';
import { isGitHash } from './content.ts';

/** A file of a repository. */
export interface ListedFile {
  /** Path in the repository. */
  readonly file: string;
  readonly bytes: number;
  /** SHA-256 of a file in LFS. */
  readonly sha256?: string | undefined;
  /** Git hash of any other. */
  readonly gitHash?: string | undefined;
}

export interface Listing {
  /** Commit that the list is of. */
  readonly commit: string;
  readonly files: readonly ListedFile[];
}

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads the answer of `listAddress`.
 * @param where Names the hub in messages.
 * @throws DownloadError (`server`) when it is not such a list.
 */
export function readListing(json: unknown, where: string): Listing {
  const fail = (): never => {
    throw new DownloadError(
      'server',
      `${where}: does not answer like a model hub: no list of files`,
    );
  };
  if (!isObject(json) || typeof json.sha !== 'string' || !Array.isArray(json.siblings))
    return fail();
  const files = json.siblings.map((entry: unknown): ListedFile => {
    const { rfilename, size, blobId, lfs } = isObject(entry) ? entry : fail();
    if (typeof rfilename !== 'string' || !isSize(size)) return fail();
    const { sha256, size: stored = size } = isObject(lfs) ? lfs : {};
    const bytes = isSize(stored) ? stored : size;
    if (typeof sha256 === 'string' && isSha256(sha256)) return { file: rfilename, bytes, sha256 };
    const gitHash = typeof blobId === 'string' && isGitHash(blobId) ? blobId : undefined;
    return { file: rfilename, bytes, gitHash: isObject(lfs) ? undefined : gitHash };
  });
  return { commit: json.sha, files };
}

const isSize = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
