/** Model files over HTTP, by range requests. */
import { WeightsError } from '../errors.ts';
import { type ByteSource, checkRange, type ModelFiles } from '../weights/source.ts';

export interface UrlOptions {
  /** Cancels requests; what waits for them rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with a line a user should see: a server that has no ranges makes loading costly. */
  readonly onNote?: (note: string) => void;
}

/** One piece of a file, or all of it from a server that ignores ranges. */
interface Answer {
  readonly whole: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Size of the file; undefined where the server keeps it from pages of other origins. */
  readonly total: number | undefined;
  /** Changes with the file; null where the server names no version. */
  readonly version: string | null;
}

const GONE = [404, 410];
const NO_SUCH_RANGE = 416;

/**
 * The files of a model below a URL. Only the bytes that are read are transferred. From a server
 * that ignores ranges a file is transferred once and held in memory while the model loads.
 * @param base Of the folder, absolute or relative to the page. A query is repeated for each file.
 */
export function openUrl(base: string | URL, options: UrlOptions = {}): ModelFiles {
  const folder = new URL(base, globalThis.location?.href);
  return {
    name: folder.href,
    open(file) {
      const url = new URL(folder);
      url.pathname = `${folder.pathname.replace(/\/$/, '')}/${encodeURIComponent(file)}`;
      return openFile(url.href, options);
    },
  };
}

async function openFile(name: string, options: UrlOptions): Promise<ByteSource> {
  // The answer to a first byte tells the size even where HEAD would tell a compressed one.
  const first = await request(name, 0, 1, options);
  const byteLength = first.total ?? (await askSize(name, options));
  let whole: Uint8Array<ArrayBuffer> | undefined;
  const keep = (bytes: Uint8Array<ArrayBuffer>): void => {
    whole = bytes;
    options.onNote?.(
      `${name}: the server ignores range requests, so all ${byteLength} bytes are held in memory`,
    );
  };
  if (first.whole) keep(first.bytes);
  return {
    name,
    byteLength,
    async read(offset, length) {
      checkRange({ name, byteLength }, offset, length);
      if (length === 0) return new Uint8Array(0);
      if (whole) return whole.slice(offset, offset + length);
      const answer = await request(name, offset, length, options);
      const { total = byteLength, version, bytes } = answer;
      if (total !== byteLength || version !== first.version) {
        throw new WeightsError(`${name}: changed while it was read: load the model again`);
      }
      if (!answer.whole) return bytes;
      keep(bytes);
      return bytes.slice(offset, offset + length);
    },
  };
}

/** @throws WeightsError when the server has no such file, Error when it fails or answers nonsense. */
async function request(
  url: string,
  offset: number,
  length: number,
  options: UrlOptions,
): Promise<Answer> {
  const last = offset + length - 1;
  const headers = { Range: `bytes=${offset}-${last}` };
  const { response, bytes } = await transfer(url, { headers }, options);
  const version = response.headers.get('etag') ?? response.headers.get('last-modified');
  const range = response.headers.get('content-range');
  if (response.status === NO_SUCH_RANGE && range === 'bytes */0') {
    return { whole: false, bytes: new Uint8Array(0), total: 0, version };
  }
  checkStatus(url, response);
  if (response.status !== 206) return { whole: true, bytes, total: bytes.byteLength, version };
  // Servers must allow other origins to read Content-Range; the length is checked in any case.
  const [, from = `${offset}`, to = `${last}`, total] =
    /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range ?? '') ?? [];
  if (bytes.byteLength !== length || Number(from) !== offset || Number(to) !== last) {
    throw new Error(
      `${url}: asked for the bytes ${offset}-${last}, the server sent ${bytes.byteLength} bytes (${range})`,
    );
  }
  const known = total !== undefined && total !== '*';
  return { whole: false, bytes, total: known ? Number(total) : undefined, version };
}

/** Size of a file whose ranges do not tell it. */
async function askSize(url: string, options: UrlOptions): Promise<number> {
  const { response } = await transfer(url, { method: 'HEAD' }, options);
  checkStatus(url, response);
  const size = Number(response.headers.get('content-length') ?? Number.NaN);
  if (Number.isSafeInteger(size)) return size;
  throw new Error(
    `${url}: the server tells no size: let it send Content-Range, and expose it to other origins`,
  );
}

async function transfer(
  url: string,
  init: RequestInit,
  { signal }: UrlOptions,
): Promise<{ response: Response; bytes: Uint8Array<ArrayBuffer> }> {
  try {
    const response = await fetch(url, { ...init, ...(signal && { signal }) });
    return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
  } catch (cause) {
    signal?.throwIfAborted();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `${url}: no answer: ${reason} (is the server up, and does it allow this page's origin?)`,
      { cause },
    );
  }
}

function checkStatus(url: string, { ok, status, statusText }: Response): void {
  if (GONE.includes(status)) throw new WeightsError(`${url}: no such file (HTTP ${status})`);
  if (!ok) throw new Error(`${url}: the server answered ${status} ${statusText}`.trimEnd());
}
