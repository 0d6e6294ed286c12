/** What a server is told when it is made. */

import { OptionError } from '../errors.ts';
import type { ApiKeys } from './api-keys.ts';
import type { Backend } from './backend.ts';
import type { Tracing } from './tracing.ts';

export interface ServerOptions {
  readonly backend: Backend;
  /** Names that clients may give, and the models that they mean. Default: none. */
  readonly aliases?: ReadonlyMap<string, string> | undefined;
  /** Whether images of other sizes are made of the model's. Default false. */
  readonly resize?: boolean | undefined;
  /** Whoever asks for anything but health and documents needs one of them. Default: nobody does. */
  readonly apiKeys?: ApiKeys | undefined;
  /** Origins of pages that may ask from a browser, as `https://example.org`; `*` is any. Default: none. */
  readonly origins?: readonly string[] | undefined;
  /** Where clients reach the server, for URLs of images. Default: what their requests say. */
  readonly publicUrl?: string | undefined;
  /** Addresses and networks of proxies, whose `X-Forwarded-...` are believed. Default: nobody's are. */
  readonly proxies?: readonly string[] | undefined;
  /** Where the log goes. Default: there is none. */
  readonly log?: { readonly level: string; readonly stream: LogStream } | undefined;
  /** Whether prompts are in the log. Default false. */
  readonly logPrompts?: boolean | undefined;
  /** Follows requests and images; it stays the caller's. Default: nothing does. */
  readonly tracing?: Tracing | undefined;
  readonly limits?: Partial<Limits> | undefined;
}

/** @throws OptionError for a name that means no model. */
export function checkAliases(
  aliases: ReadonlyMap<string, string>,
  models: readonly string[],
): void {
  for (const [name, model] of aliases) {
    if (models.includes(model)) continue;
    throw new OptionError(
      `--alias: "${name}" means "${model}", and the model here is ${models.join(', ')}`,
    );
  }
}

export interface LogStream {
  write(line: string): void;
}

/** What keeps one client from taking all there is. */
export interface Limits {
  /** Images that may wait for slots; more are refused with 429. */
  readonly waiting: number;
  /** Requests for images of one client a minute; 0 is any number. */
  readonly requestsAMinute: number;
  /** From taking a request to the last of its images. */
  readonly requestMs: number;
  /** For the head of a request, then for all of it. */
  readonly receiveMs: number;
  /** In which a client must take what was sent to it. */
  readonly sendMs: number;
  /** Of a request. */
  readonly bodyBytes: number;
  readonly connections: number;
  /** Of images that wait to be fetched by their URLs. */
  readonly storeBytes: number;
  /** After which URLs of images expire. */
  readonly urlMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  waiting: 64,
  requestsAMinute: 600,
  requestMs: 600_000,
  receiveMs: 15_000,
  sendMs: 60_000,
  bodyBytes: 2 ** 16,
  connections: 1024,
  storeBytes: 256 * 2 ** 20,
  urlMs: 3_600_000,
};
