/** Asks the hub where a file is, which version it is, and how long. */
import { DownloadError } from '../../errors.ts';
import { type HubHttp, header, type Response, shown } from './http.ts';
import { type Asked, refusal } from './refusal.ts';
import type { HubSettings, HubTiming } from './settings.ts';

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

const MAX_REDIRECTS = 5;
/** Answers of mirrors that know no HEAD: the head of a GET says the same. */
const NO_HEAD: ReadonlySet<number> = new Set([405, 501]);
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Asks for `{endpoint}/{repo}/resolve/{revision}/{file}`. The answer for a large file is a redirect
 * to a CDN that names version and size; renamed repositories redirect to their new name first.
 * @throws DownloadError that says what to do.
 */
export async function resolveFile(
  http: HubHttp,
  asked: Asked,
  settings: HubSettings,
  timing: HubTiming,
): Promise<HubFile> {
  let url = fileUrl(asked, settings);
  let method: 'HEAD' | 'GET' = 'HEAD';
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await http.send(method, url);
    const { statusCode: status } = response;
    // Nothing follows the head, but the connection is free again only once this is known.
    if (method === 'HEAD') await response.body.dump();
    else response.body.destroy();
    if (method === 'HEAD' && NO_HEAD.has(status)) {
      method = 'GET';
      continue;
    }
    if (status >= 400) throw refusal(url, response, asked, settings, timing);
    const location = status >= 300 ? redirectTarget(url, response) : undefined;
    const etag = plainEtag(
      header(response, 'x-linked-etag') ?? (location ? '' : header(response, 'etag')),
    );
    if (etag) return describe(location ?? url, etag, response, method);
    if (!location) break;
    url = location;
  }
  throw new DownloadError(
    'server',
    `${asked.repo}/${asked.file}: ${shown(url)} does not answer like a model hub (no ETag): check HF_ENDPOINT`,
  );
}

function fileUrl({ repo, revision, file }: Asked, { endpoint }: HubSettings): URL {
  const path = [repo, 'resolve', encodeURIComponent(revision), file].map((part, i) =>
    i === 2 ? part : part.split('/').map(encodeURIComponent).join('/'),
  );
  return new URL(`${endpoint}/${path.join('/')}`);
}

function redirectTarget(url: URL, response: Response): URL {
  const location = header(response, 'location');
  if (location !== undefined && URL.canParse(location, url)) return new URL(location, url);
  throw new DownloadError('server', `${shown(url)}: redirects to nowhere`);
}

/** The value without quotes and without the mark of weak ones. */
function plainEtag(value: string | undefined): string {
  return (value ?? '').replace(/^W\//, '').replaceAll('"', '');
}

function describe(url: URL, etag: string, response: Response, method: 'HEAD' | 'GET'): HubFile {
  const isLinked = header(response, 'x-linked-etag') !== undefined;
  const length = header(response, isLinked ? 'x-linked-size' : 'content-length');
  // Mirrors that make no body for HEAD count it: 0 says nothing there.
  const isTold = length !== undefined && (isLinked || method === 'GET' || Number(length) > 0);
  const size = isTold ? Number(length) : Number.NaN;
  const commit = header(response, 'x-repo-commit');
  return {
    url,
    etag,
    ...(SHA256.test(etag) && { sha256: etag }),
    ...(Number.isSafeInteger(size) && size >= 0 && { bytes: size }),
    commit,
  };
}
