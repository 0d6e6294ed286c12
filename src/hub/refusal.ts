/** What an answer that is not the file means, and what to do about it. */
import { DownloadError } from '../errors.ts';
import type { Asked } from './address.ts';
import type { HubAnswer } from './answer.ts';
import { TransientError } from './transient.ts';

/** Who was asked, and by whom. */
export interface Hub {
  readonly endpoint: string;
  /** What to do when the hub wants to know who asks. */
  denied(status: number): string;
  /** Longest wait that a server may ask for (`Retry-After`). */
  readonly longestRetryAfterMs: number;
}

/** Answers that may be others in a moment. */
const PASSING: ReadonlySet<number> = new Set([408, 425, 429]);

/** An address without its query: those of a CDN carry signatures. */
export const shown = (url: URL): string => `${url.origin}${url.pathname}`;

/** The error for an answer of 400 or more. */
export function refusal(url: URL, answer: HubAnswer, asked: Asked, hub: Hub): DownloadError {
  const { status } = answer;
  const what = asked.file === '' ? asked.repo : `${asked.repo}/${asked.file}`;
  if (PASSING.has(status) || status >= 500) {
    const why = status === 429 ? 'too many requests' : 'the server has a problem';
    const message = `${what}: ${shown(url)} answered ${status} (${why})`;
    const waitMs = retryAfterMs(answer.header('retry-after'));
    if (waitMs > hub.longestRetryAfterMs) {
      const minutes = Math.ceil(waitMs / 60_000);
      return new DownloadError(
        'server',
        `${message} and asks to wait ${minutes} min: try again then`,
      );
    }
    return new TransientError('server', message, { waitMs });
  }
  if (url.origin !== new URL(hub.endpoint).origin) {
    // The hub signs addresses for a while only; the next try asks it for a new one.
    return new TransientError('server', `${what}: ${shown(url)} answered ${status}`);
  }
  if (status === 404) return notFound(what, answer, asked, hub);
  if (status === 401 || status === 403) {
    return new DownloadError('denied', `${what}: ${hub.endpoint} ${hub.denied(status)}`);
  }
  return new DownloadError('server', `${what}: ${shown(url)} answered ${status}${detail(answer)}`);
}

function notFound(
  what: string,
  answer: HubAnswer,
  { repo, file, revision }: Asked,
  { endpoint }: Hub,
): DownloadError {
  const missing: Readonly<Record<string, string>> = {
    RepoNotFound: `has no repository "${repo}" that you may see`,
    RevisionNotFound: `has no revision "${revision}" of "${repo}"`,
  };
  const said = missing[answer.header('x-error-code') ?? ''];
  const none =
    file === ''
      ? `has no revision "${revision}" of a repository "${repo}"`
      : `has no file "${file}" in "${repo}" at revision "${revision}"`;
  const message = `${what}: ${endpoint} ${said ?? none} (404): check the name`;
  return new DownloadError('not-found', message);
}

function detail(answer: HubAnswer): string {
  const message = answer.header('x-error-message');
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
