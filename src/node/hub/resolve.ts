/** Asks the hub where a file is, which version it is, and how long. */
import { DownloadError } from '../../errors.ts';
import { type Asked, fileAddress } from '../../hub/address.ts';
import { etagOf, type HubFile, hubFileOf } from '../../hub/answer.ts';
import { shown } from '../../hub/refusal.ts';
import { type HubHttp, header, type Response } from './http.ts';
import { answerOf, refusal } from './refusal.ts';
import type { HubSettings, HubTiming } from './settings.ts';

const MAX_REDIRECTS = 5;
/** Answers of mirrors that know no HEAD: the head of a GET says the same. */
const NO_HEAD: ReadonlySet<number> = new Set([405, 501]);

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
  let url = fileAddress(settings.endpoint, asked);
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
    const answer = answerOf(response);
    const etag = etagOf(answer, location !== undefined);
    if (etag !== undefined) return hubFileOf(location ?? url, etag, answer, method);
    if (!location) break;
    url = location;
  }
  throw new DownloadError(
    'server',
    `${asked.repo}/${asked.file}: ${shown(url)} does not answer like a model hub (no ETag): check HF_ENDPOINT`,
  );
}

function redirectTarget(url: URL, response: Response): URL {
  const location = header(response, 'location');
  if (location !== undefined && URL.canParse(location, url)) return new URL(location, url);
  throw new DownloadError('server', `${shown(url)}: redirects to nowhere`);
}
