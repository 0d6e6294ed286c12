/** Files of a server: how long they are, which version they are, and their bytes as a stream. */
import { DownloadError } from '../../errors.ts';
import { TransientError } from '../../hub/transient.ts';
import { drop, plainLength, readWhole } from '../body.ts';
import type { Bytes } from './place.ts';
import { assertContent, brokenOff, isPage, NOT_HERE, send, type Web } from './requests.ts';
import { Silence } from './silence.ts';

/** A file of a server. */
export interface RemoteFile {
  /** Its name in the model. */
  readonly file: string;
  readonly url: string;
  readonly bytes: number;
  /** Names the version; undefined where the server has no name for it. */
  readonly version?: string | undefined;
  /** SHA-256 of the content, where somebody vouches for it. */
  readonly sha256?: string | undefined;
  /** The hash that git gives the content. */
  readonly gitHash?: string | undefined;
  /** Whether answers name versions as `version` does. */
  readonly sameNames: boolean;
  /**
   * Whether the server tells no length, as one that packs whatever it sends: browsers fail where such a one is
   * asked for ranges.
   */
  readonly isRangeless?: boolean | undefined;
  /** All of it, where the server does not tell its length otherwise. */
  readonly content?: Bytes | undefined;
}

/** Longest file that is held in memory because its server tells no length. */
const MAX_HELD_BYTES = 2 ** 30;
/** Longest file that is read to see which files there are. */
const MAX_SHORT_BYTES = 100_000_000;
const NO_SUCH_RANGE = 416;

/**
 * Length and version of a file, by an answer for its first byte.
 * @returns undefined where the server has no such file.
 * @throws as `send` and the refusal.
 */
export async function askFile(
  web: Web,
  file: string,
  url: string,
): Promise<RemoteFile | undefined> {
  const response = await sendFirst(web, url);
  try {
    if (NOT_HERE.includes(response.status) || (response.ok && isPage(url, response))) {
      return undefined;
    }
    const version = versionOf(response);
    const known = { file, url, version, sameNames: true };
    const total = totalOf(response);
    if (response.status === NO_SUCH_RANGE && total === 0) return { ...known, bytes: 0 };
    assertContent(web, url, response);
    const bytes = total ?? (await askLength(web, url));
    if (bytes !== undefined) return { ...known, bytes };
    const content = await readBody(web, url, undefined, MAX_HELD_BYTES);
    if (content) return { ...known, bytes: content.byteLength, content, isRangeless: true };
    throw new DownloadError(
      'server',
      `${url}: the server tells no length, and the file has more than ${MAX_HELD_BYTES} bytes: let it send Content-Length or answer ranges`,
    );
  } catch (error) {
    throw brokenOff(web, url, error);
  } finally {
    drop(response);
  }
}

/**
 * Browsers ask for ranges as they are (`identity`), and fail where a server compresses all the same: then
 * for the whole file, which they unpack.
 */
async function sendFirst(web: Web, url: string): Promise<Response> {
  try {
    return await send(web, url, { headers: { Range: 'bytes=0-0' } });
  } catch (error) {
    if (!(error instanceof TransientError)) throw error;
    return send(web, url).catch(() => {
      throw error;
    });
  }
}

/** All of a file whose server goes on sending; undefined when it is longer than `most`. */
async function readBody(
  web: Web,
  url: string,
  expected: number | undefined,
  most: number,
): Promise<Bytes | undefined> {
  const silence = new Silence(web, url);
  try {
    const response = await send(web, url, {}, silence);
    assertContent(web, url, response);
    silence.begin();
    const bytes = await readWhole(response, expected, most, () => silence.begin());
    silence.end();
    return bytes;
  } catch (error) {
    const { tooLong } = silence;
    // What is left of the body is not transferred.
    silence.stop();
    throw brokenOff(web, url, tooLong ?? error);
  }
}

/**
 * All bytes of a short file.
 * @throws as `askFile`; DownloadError when it is longer than 100 MB.
 */
export async function readAll(web: Web, { url, content, bytes }: RemoteFile): Promise<Bytes> {
  if (content) return content;
  const all = await readBody(web, url, bytes, MAX_SHORT_BYTES);
  if (all) return all;
  throw tooLong(url);
}

const tooLong = (url: string): DownloadError =>
  new DownloadError(
    'wrong-bytes',
    `${url}: has more than ${MAX_SHORT_BYTES} bytes, which is no description of a model`,
  );

/** @throws DownloadError when the answer is no JSON. */
export async function readJson(web: Web, url: string): Promise<unknown> {
  const bytes = await readBody(web, url, undefined, MAX_SHORT_BYTES);
  if (!bytes) throw tooLong(url);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new DownloadError('server', `${url}: does not answer like a model hub: no JSON`);
  }
}

async function askLength(web: Web, url: string): Promise<number | undefined> {
  const response = await send(web, url, { method: 'HEAD' }).catch(() => undefined);
  web.signal?.throwIfAborted();
  // Some servers count no body for HEAD.
  const length = response?.ok ? plainLength(response) : undefined;
  return length === 0 ? undefined : length;
}

const versionOf = ({ headers }: Response): string | undefined =>
  headers.get('etag') ?? headers.get('last-modified') ?? undefined;

/** Length of the whole file, as far as an answer tells it. */
function totalOf(response: Response): number | undefined {
  const range = response.headers.get('content-range') ?? '';
  const [, total] = /^bytes (?:\d+-\d+|\*)\/(\d+)$/i.exec(range) ?? [];
  if (total !== undefined) return Number(total);
  return response.status === 200 ? plainLength(response) : undefined;
}

/**
 * The bytes from `first` to `last`, both included, chunk by chunk.
 * @param take Is given each chunk and the place of its first byte in the file. From a server that knows
 * no ranges the chunks before `first` come too.
 * @throws TransientError when the connection breaks, or the file is another one now.
 */
export async function streamRange(
  web: Web,
  file: RemoteFile,
  first: number,
  last: number,
  take: (chunk: Uint8Array, at: number) => Promise<void>,
): Promise<void> {
  const { url, bytes, isRangeless } = file;
  const silence = new Silence(web, url);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    const headers = isRangeless ? {} : { Range: `bytes=${first}-${last}` };
    const response = await send(web, url, { headers }, silence);
    assertContent(web, url, response);
    assertVersion(file, response);
    let at = startOf(response, url, first);
    reader = response.body?.getReader();
    for (;;) {
      silence.begin();
      const { done, value } = (await reader?.read()) ?? { done: true };
      silence.end();
      if (done || !value) break;
      const chunk = value.subarray(0, Math.max(0, last + 1 - at));
      if (at + value.byteLength > bytes) throw changed(url, `more than its ${bytes} bytes came`);
      if (chunk.byteLength > 0) await take(chunk, at);
      at += value.byteLength;
      if (at > last) return;
    }
    throw new TransientError(
      'network',
      `${url}: the connection was cut after ${at - first} of ${last + 1 - first} bytes`,
    );
  } catch (error) {
    throw brokenOff(web, url, silence.tooLong ?? error);
  } finally {
    silence.end();
    // What is left of the body is not transferred.
    if (reader) reader.cancel().catch(() => {});
    else silence.stop();
  }
}

function assertVersion({ url, version, bytes, sameNames }: RemoteFile, response: Response): void {
  const now = versionOf(response);
  if (sameNames && now !== version) throw changed(url, `its version is ${now} now`);
  const total = totalOf(response);
  if (total !== undefined && total !== bytes) throw changed(url, `it has ${total} bytes now`);
}

/** The file is not the one that was asked for: the next try asks again. */
const changed = (url: string, how: string): TransientError =>
  new TransientError('server', `${url}: changed while it was fetched: ${how}`);

/** Place of the first byte of an answer in its file. */
function startOf(response: Response, url: string, first: number): number {
  if (response.status === 200) return 0;
  const range = response.headers.get('content-range');
  // Where other origins may not see it, the range is taken for the one that was asked for.
  if (range === null) return first;
  const start = Number(/^bytes (\d+)-/i.exec(range)?.[1] ?? Number.NaN);
  if (start <= first) return start;
  throw new DownloadError(
    'server',
    `${url}: asked for the bytes from ${first}, the server sent "${range}"`,
  );
}
