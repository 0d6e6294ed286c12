/** What an answer of the hub says of a file, whatever client got it. */

/** The head of an answer. */
export interface HubAnswer {
  readonly status: number;
  /** One value of a header. */
  header(name: string): string | undefined;
}

/** What the hub says about a file. */
export interface HubFile {
  /** Where the bytes are: a CDN for large files. Valid for some minutes. */
  readonly url: URL;
  /** The version: the SHA-256 of a large file, the git hash of a small one. */
  readonly etag: string;
  /** SHA-256 of the content where the hub knows it (files in LFS). */
  readonly sha256?: string | undefined;
  readonly bytes?: number | undefined;
  /** Commit of the repository. */
  readonly commit?: string | undefined;
}

const SHA256 = /^[0-9a-f]{64}$/;

/** Whether a version is named by the SHA-256 of its content. */
export const isSha256 = (version: string): boolean => SHA256.test(version);

/**
 * The version that an answer names; undefined where it is none of a hub.
 * @param isRedirect The ETag of a redirect is not that of the file.
 */
export function etagOf({ header }: HubAnswer, isRedirect: boolean): string | undefined {
  const value = header('x-linked-etag') ?? (isRedirect ? '' : header('etag'));
  // Without quotes and without the mark of weak ones.
  return (value ?? '').replace(/^W\//, '').replaceAll('"', '') || undefined;
}

/**
 * The file that an answer describes.
 * @param method By which it was asked for: mirrors that make no body for HEAD count it.
 */
export function hubFileOf(
  url: URL,
  etag: string,
  { header }: HubAnswer,
  method: 'HEAD' | 'GET',
): HubFile {
  const isLinked = header('x-linked-etag') !== undefined;
  const length = header(isLinked ? 'x-linked-size' : 'content-length');
  // 0 says nothing there.
  const isTold = length !== undefined && (isLinked || method === 'GET' || Number(length) > 0);
  const size = isTold ? Number(length) : Number.NaN;
  return {
    url,
    etag,
    ...(isSha256(etag) && { sha256: etag }),
    ...(Number.isSafeInteger(size) && size >= 0 && { bytes: size }),
    commit: header('x-repo-commit'),
  };
}
