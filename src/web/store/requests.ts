/** Requests of the store: how they fail, and what answers that are no content mean. */
import { DownloadError, WeightsError } from '../../errors.ts';
import { TransientError } from '../../hub/transient.ts';
import { isWebPageName, isWebPageType } from '../../weights/web-page.ts';
import { Silence } from './silence.ts';

/** What an answer that is no file means, for a kind of server. */
export type Refusal = (url: string, response: Response) => Error;

/** Sends the requests of one run. */
export interface Web {
  readonly signal?: AbortSignal | undefined;
  /** Longest silence of a server before a request counts as failed. */
  readonly silenceMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly refusal: Refusal;
  /** Whether any server answered. */
  contacted: boolean;
}

/** Answers for files that are not there. */
export const NOT_HERE: readonly number[] = [404, 410];

/**
 * Sends a request.
 * @param silence Goes on listening to the body; without it only the head is waited for so long.
 * @throws TransientError when nothing answers, DownloadError (`offline`) when there is no network; the
 * reason of the signal.
 */
export async function send(
  web: Web,
  url: string,
  init: RequestInit = {},
  silence?: Silence,
): Promise<Response> {
  const heard = silence ?? new Silence(web, url);
  try {
    const headers = { ...web.headers, ...init.headers };
    // The browser's own cache would keep weights twice, and answer with versions that are gone.
    const response = await fetch(url, {
      ...init,
      headers,
      cache: 'no-store',
      signal: heard.signal,
    });
    web.contacted = true;
    return response;
  } catch (cause) {
    throw brokenOff(web, url, cause, 'no answer');
  } finally {
    if (!silence) heard.end();
  }
}

/** What to throw when a connection broke: the reason of an abort, else a DownloadError. */
export function brokenOff(
  { signal }: Web,
  url: string,
  cause: unknown,
  what: 'no answer' | 'the answer broke off' = 'the answer broke off',
): unknown {
  if (signal?.aborted) return signal.reason;
  // Fetch and bodies fail with a TypeError; whatever else is thrown says itself what it is.
  if (!(cause instanceof TypeError)) return cause;
  const { host } = new URL(url);
  if (!navigator.onLine) {
    return new DownloadError('offline', `${host}: there is no network`, { cause });
  }
  return new TransientError(
    'network',
    `${host}: ${what}: ${cause.message} (is the server up, and does it allow this page's origin?)`,
    { cause },
  );
}

/** What a model folder on any server answers in place of a file. */
export const folderRefusal: Refusal = (url, { status, statusText }) => {
  if (NOT_HERE.includes(status)) return new WeightsError(`${url}: no such file (HTTP ${status})`);
  const message = `${url}: the server answered ${status} ${statusText}`.trimEnd();
  if (status === 401 || status === 403) return new DownloadError('denied', message);
  return status >= 500 || [408, 425, 429].includes(status)
    ? new TransientError('server', message)
    : new DownloadError('server', message);
};

/** Whether an answer is a web page where none was asked for. */
export const isPage = (url: string, { headers }: Response): boolean =>
  isWebPageType(headers.get('content-type')) && !isWebPageName(new URL(url).pathname);

/** @throws unless the answer is content of the file. */
export function assertContent({ refusal }: Web, url: string, response: Response): void {
  if (!response.ok) throw refusal(url, response);
  // Servers of single-page apps answer so for every name that they do not know.
  if (isPage(url, response)) {
    throw new WeightsError(`${url}: no such file: the server sent a web page in its place`);
  }
  if (response.status !== 200 && response.status !== 206) {
    throw new DownloadError(
      'server',
      `${url}: the server answered ${response.status}, which is no content`,
    );
  }
}
