/** Asks for bytes of a file, wherever the hub has them. */
import { DownloadError } from '../../errors.ts';
import { TransientError } from '../../hub/transient.ts';
import { header, type Response } from './http.ts';
import { refusal } from './refusal.ts';
import type { Transfer } from './transfer.ts';

const MAX_REDIRECTS = 5;
/** What a server says to a wish for bytes: all of them, those asked for, or that there are none such. */
const ANSWERS: ReadonlySet<number> = new Set([200, 206, 416]);

/**
 * Follows redirects to an answer of 200, 206 or 416.
 * @throws DownloadError for any other; a TransientError where another try may go better.
 */
export async function getBytes(
  { http, file, asked, settings, timing }: Transfer,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  let { url } = file;
  for (let redirects = 0; redirects < MAX_REDIRECTS; redirects++) {
    const response = await http.send('GET', url, headers);
    const { statusCode: status } = response;
    if (ANSWERS.has(status)) return response;
    await response.body.dump();
    const location = header(response, 'location');
    if (status >= 300 && status < 400 && location !== undefined && URL.canParse(location, url)) {
      url = new URL(location, url);
      continue;
    }
    if (status < 400) {
      throw new TransientError('server', `${asked.file}: ${url.host} answered ${status}`);
    }
    throw refusal(url, response, asked, settings, timing);
  }
  throw new DownloadError('server', `${asked.file}: ${url.host} redirects without end`);
}

/** First byte, last byte and length of the file in a Content-Range; those that it does not tell are undefined. */
export function contentRange(response: Response): {
  readonly text: string;
  readonly first?: number | undefined;
  readonly last?: number | undefined;
  readonly total?: number | undefined;
} {
  const text = header(response, 'content-range') ?? '';
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(text) ?? [];
  const number = (digits: string | undefined): number | undefined =>
    digits === undefined || digits === '*' ? undefined : Number(digits);
  return { text, first: number(first), last: number(last), total: number(total) };
}
