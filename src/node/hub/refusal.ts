/** Refusals of the hub, with what the settings of this machine have to do with them. */
import type { DownloadError } from '../../errors.ts';
import type { Asked } from '../../hub/address.ts';
import type { HubAnswer } from '../../hub/answer.ts';
import { refusal as hubRefusal } from '../../hub/refusal.ts';
import { header, type Response } from './http.ts';
import type { HubSettings, HubTiming } from './settings.ts';

/** The head of an answer. */
export const answerOf = (response: Response): HubAnswer => ({
  status: response.statusCode,
  header: (name) => header(response, name),
});

/** The error for an answer of 400 or more. */
export function refusal(
  url: URL,
  response: Response,
  asked: Asked,
  settings: HubSettings,
  { longestRetryAfterMs }: HubTiming,
): DownloadError {
  const { endpoint } = settings;
  const denial = (status: number): string => denied(status, settings);
  const hub = { endpoint, denied: denial, longestRetryAfterMs };
  return hubRefusal(url, answerOf(response), asked, hub);
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
