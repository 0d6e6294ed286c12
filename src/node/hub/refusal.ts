/** What an answer that is not the file means, and what to do about it. */
import { DownloadError } from '../../errors.ts';
import { TransientError } from '../../hub/transient.ts';
import { header, type Response, shown } from './http.ts';
import type { HubSettings, HubTiming } from './settings.ts';

/** What was asked for. */
export interface Asked {
  readonly repo: string;
  readonly file: string;
  readonly revision: string;
}

/** Answers that may be others in a moment. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

/** The error for an answer of 400 or more. */
export function refusal(
  url: URL,
  response: Response,
  asked: Asked,
  settings: HubSettings,
  timing: HubTiming,
): DownloadError {
  const { statusCode: status } = response;
  const what = `${asked.repo}/${asked.file}`;
  if (PASSING.has(status) || status >= 500) {
    const why = status === 429 ? 'too many requests' : 'the server has a problem';
    const message = `${what}: ${shown(url)} answered ${status} (${why})`;
    const waitMs = retryAfterMs(header(response, 'retry-after'));
    if (waitMs > timing.longestRetryAfterMs) {
      const minutes = Math.ceil(waitMs / 60_000);
      return new DownloadError(
        'server',
        `${message} and asks to wait ${minutes} min: try again then`,
      );
    }
    return new TransientError('server', message, { waitMs });
  }
  if (url.origin !== new URL(settings.endpoint).origin) {
    // The hub signs addresses for a while only; the next try asks it for a new one.
    return new TransientError('server', `${what}: ${shown(url)} answered ${status}`);
  }
  if (status === 404) return notFound(what, response, asked, settings);
  if (status === 401 || status === 403) {
    return new DownloadError('denied', `${what}: ${settings.endpoint} ${denied(status, settings)}`);
  }
  return new DownloadError(
    'server',
    `${what}: ${shown(url)} answered ${status}${detail(response)}`,
  );
}

function denied(status: number, { token, tokenFrom }: HubSettings): string {
  if (token === undefined) {
    return (
      `asks who you are (${status}): the repository is private, wants its terms accepted on its page, or is ` +
      'not there; if you have access, log in (hf auth login) or set HF_TOKEN to a token with the right to read'
    );
  }
  return (
    `does not accept the token of ${tokenFrom} for this (${status}): make one with the right to read, and ` +
    "accept the repository's terms on its page if it has some; HF_HUB_DISABLE_IMPLICIT_TOKEN=1 sends none"
  );
}

function notFound(
  what: string,
  response: Response,
  { repo, file, revision }: Asked,
  { endpoint }: HubSettings,
): DownloadError {
  const missing: Readonly<Record<string, string>> = {
    RepoNotFound: `has no repository "${repo}" that you may see`,
    RevisionNotFound: `has no revision "${revision}" of "${repo}"`,
  };
  const said = missing[header(response, 'x-error-code') ?? ''];
  const why = said ?? `has no file "${file}" in "${repo}" at revision "${revision}"`;
  return new DownloadError('not-found', `${what}: ${endpoint} ${why} (404): check the name`);
}

function detail(response: Response): string {
  const message = header(response, 'x-error-message');
  return message ? `: ${message}` : '';
}

/** Seconds or a date. */
function retryAfterMs(value: string | undefined): number {
  if (value === undefined) return 0;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now());
}
