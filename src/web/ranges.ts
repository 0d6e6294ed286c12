/** Pieces of files by HTTP, from servers that know ranges, misread them or ignore them. */
import { WeightsError } from '../errors.ts';
import { isWebPage, isWebPageName, isWebPageType } from '../weights/web-page.ts';
import { drop, plainLength, readPart, readWhole } from './body.ts';

export interface RangeOptions {
  readonly signal?: AbortSignal | undefined;
  /** Most bytes of a whole file, where the server sends nothing less. */
  readonly mostBytes: number;
}

/** One piece of a file, or all of it from a server that ignores ranges. */
export interface Answer {
  readonly whole: boolean;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Size of the file; undefined where the server keeps it from pages of other origins. */
  readonly total: number | undefined;
  /** Changes with the file; null where the server names no version. */
  readonly version: string | null;
}

/** What was asked for: the bytes `first` to `last` of a file. */
interface Asked {
  readonly url: string;
  readonly first: number;
  readonly last: number;
}

const GONE = [404, 410];
const NO_SUCH_RANGE = 416;

/**
 * Asks for `length` bytes at `offset`, at least one.
 * @throws WeightsError when the server has no such file, Error when it fails or answers nonsense.
 */
export async function requestRange(
  url: string,
  offset: number,
  length: number,
  options: RangeOptions,
): Promise<Answer> {
  const asked = { url, first: offset, last: offset + length - 1 };
  const headers = { Range: `bytes=${asked.first}-${asked.last}` };
  return transfer(url, { headers }, options, async (response) => {
    const { status } = response;
    const version = versionOf(response);
    if (status === NO_SUCH_RANGE && response.headers.get('content-range') === 'bytes */0') {
      return { whole: false, bytes: new Uint8Array(0), total: 0, version };
    }
    checkStatus(url, response);
    const answer = await (status === 206
      ? readRange(asked, response, options)
      : readFile(url, response, options));
    return { ...answer, version };
  });
}

/**
 * Size of a file whose ranges do not tell it: of the head of an answer for all of it.
 * @throws Error when the server tells no size.
 */
export async function requestSize(url: string, { signal }: RangeOptions): Promise<number> {
  const ask = (way: RequestInit): Promise<number | undefined> =>
    transfer(url, way, { signal }, async (response) => {
      const [, total] = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? [];
      const size = Number(total ?? plainLength(response) ?? Number.NaN);
      // Some servers count no body for HEAD.
      return response.ok && Number.isSafeInteger(size) && size > 0 ? size : undefined;
    });
  const told = await ask({ method: 'HEAD' }).catch(() => undefined);
  signal?.throwIfAborted();
  const size = told ?? (await ask({ headers: { Range: 'bytes=0-' } }));
  if (size !== undefined) return size;
  throw new Error(
    `${url}: the server tells no size: let it send Content-Range, and expose it to other origins`,
  );
}

/**
 * Asks for a file's first byte. Browsers ask for ranges as they are (`identity`), and fail where a
 * server compresses all the same: then for the whole file, which they unpack.
 * @throws WeightsError when the server has no such file, Error when it fails or answers nonsense.
 */
export async function requestFirst(url: string, options: RangeOptions): Promise<Answer> {
  try {
    return await requestRange(url, 0, 1, options);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    return transfer(url, {}, options, async (response) => {
      checkStatus(url, response);
      if (response.status !== 200) throw error;
      return { ...(await readFile(url, response, options)), version: versionOf(response) };
    }).catch((second) => {
      throw second instanceof NoAnswer ? error : second;
    });
  }
}

/** A connection failed, or the browser refused the answer: it does not say which. */
class NoAnswer extends Error {}

const versionOf = ({ headers }: Response): string | null =>
  headers.get('etag') ?? headers.get('last-modified');

type Content = Omit<Answer, 'version'>;

/** The piece of an answer 206. It may be longer than what was asked for, on both sides. */
async function readRange(
  asked: Asked,
  response: Response,
  options: RangeOptions,
): Promise<Content> {
  const { url, first, last } = asked;
  checkPlain(url, response);
  const { from, to, total } = parseRange(asked, response);
  const length = last - first + 1;
  if (first > 0 && from === 0 && total !== undefined && to === total - 1 && to > last) {
    // Whatever is asked for, this server begins at the first byte: better to transfer it once.
    return readFile(url, response, options);
  }
  // Servers must allow other origins to read Content-Range. A longer answer to a range that begins
  // at the first byte can only begin there too.
  const isLast = from === undefined ? first > 0 : to === last;
  const { bytes, isLonger } = await readPart(response, first - (from ?? first), length, isLast);
  if (bytes.byteLength === length && !(isLast && isLonger)) return { whole: false, bytes, total };
  const sent = isLonger ? `more than ${length}` : bytes.byteLength;
  const range = response.headers.get('content-range');
  throw new Error(
    `${url}: asked for the bytes ${first}-${last}, the server sent ${sent} bytes (${range ?? 'no Content-Range, or not exposed to other origins'})`,
  );
}

/** The whole file of an answer 200. Fetch unpacks a compressed one. */
async function readFile(
  url: string,
  response: Response,
  { mostBytes }: RangeOptions,
): Promise<Content> {
  const expected = plainLength(response);
  const isTooLong = expected !== undefined && expected > mostBytes;
  const bytes = isTooLong ? undefined : await readWhole(response, expected, mostBytes);
  if (bytes === undefined) {
    const size = expected === undefined ? 'the file has' : `${expected} bytes are`;
    throw new Error(
      `${url}: the server ignores range requests, and ${size} more than the ${mostBytes} bytes that may be held in memory: use a server that answers ranges, or raise maxHeldBytes`,
    );
  }
  if (isWebPage(bytes) && !isWebPageName(new URL(url).pathname)) throw noFile(url);
  return { whole: true, bytes, total: bytes.byteLength };
}

/** `Content-Range`, where it can be read: it must cover what was asked for. */
function parseRange(
  { url, first, last }: Asked,
  { headers }: Response,
): { from?: number; to?: number; total?: number } {
  const range = headers.get('content-range');
  if (range === null) return {};
  const [, start = '', end = '', size = ''] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(range) ?? [];
  const [from, to] = [Number(start), Number(end)];
  if (start === '' || from > first || to < last) {
    throw new Error(`${url}: asked for the bytes ${first}-${last}, the server sent "${range}"`);
  }
  return { from, to, ...(size !== '*' && { total: Number(size) }) };
}

/** Refuses pieces of which nobody can tell where they belong. */
function checkPlain(url: string, { headers }: Response): void {
  const packed = headers.get('content-encoding') ?? 'identity';
  if (packed !== 'identity') {
    throw new Error(
      `${url}: the server compresses parts of the file (Content-Encoding: ${packed}), and such a part cannot be unpacked: switch compression off for weights`,
    );
  }
  if (/^multipart\//i.test(headers.get('content-type') ?? '')) {
    throw new Error(`${url}: the server sent several ranges where one was asked for`);
  }
}

function checkStatus(url: string, { ok, status, statusText, headers }: Response): void {
  if (GONE.includes(status)) throw new WeightsError(`${url}: no such file (HTTP ${status})`);
  if (!ok) throw new Error(`${url}: the server answered ${status} ${statusText}`.trimEnd());
  const isPage = isWebPageType(headers.get('content-type'));
  if (isPage && !isWebPageName(new URL(url).pathname)) throw noFile(url);
  if (status === 200 || status === 206) return;
  throw new Error(`${url}: the server answered ${status}, which is no content`);
}

/** Servers of single-page apps answer so for every name that they do not know. */
const noFile = (url: string): WeightsError =>
  new WeightsError(`${url}: no such file: the server sent a web page in its place`);

/** Sends a request and reads its answer; what `read` leaves of it is dropped. */
async function transfer<T>(
  url: string,
  init: RequestInit,
  { signal }: { readonly signal?: AbortSignal | undefined },
  read: (response: Response) => Promise<T>,
): Promise<T> {
  let response: Response | undefined;
  try {
    response = await fetch(url, { ...init, ...(signal && { signal }) });
    return await read(response);
  } catch (cause) {
    signal?.throwIfAborted();
    // Fetch and bodies fail with a TypeError.
    if (!(cause instanceof TypeError)) throw cause;
    const why = cause.message;
    if (response) {
      const about = 'was it cut, or does its Content-Encoding not fit?';
      throw new Error(`${url}: the answer broke off: ${why} (${about})`, { cause });
    }
    const about =
      "is the server up, does it allow this page's origin, and send ranges uncompressed?";
    throw new NoAnswer(`${url}: no answer: ${why} (${about})`, { cause });
  } finally {
    if (response) drop(response);
  }
}
