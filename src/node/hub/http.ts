/** HTTP as the hub client needs it: proxies, timeouts, and errors that say what to do. */
import { Agent, type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { DownloadError, type DownloadProblem } from '../../errors.ts';
import type { HubSettings, HubTiming } from './settings.ts';

/** A failure that another try may mend. */
export class TransientError extends DownloadError {
  /** What the server asked to wait, if it did. */
  readonly waitMs: number;

  constructor(problem: DownloadProblem, message: string, waitMs = 0, options?: ErrorOptions) {
    super(problem, message, options);
    this.waitMs = waitMs;
  }
}

export type Response = Dispatcher.ResponseData;

/** Sends requests of one download. Close it to drop its connections. */
export class HubHttp {
  readonly #dispatcher: Dispatcher;
  readonly #settings: HubSettings;
  readonly #timing: HubTiming;
  readonly #signal: AbortSignal | undefined;

  constructor(settings: HubSettings, timing: HubTiming, signal: AbortSignal | undefined) {
    const { httpProxy, httpsProxy } = settings.proxies;
    const options = { connect: { timeout: timing.silenceMs } };
    this.#dispatcher =
      httpProxy || httpsProxy
        ? new EnvHttpProxyAgent({ ...options, ...settings.proxies })
        : new Agent(options);
    this.#settings = settings;
    this.#timing = timing;
    this.#signal = signal;
  }

  /**
   * Sends one request and follows no redirect. The token goes to the endpoint only.
   * @throws TransientError when no answer comes.
   */
  async send(
    method: 'GET' | 'HEAD',
    url: URL,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const { token, endpoint } = this.#settings;
    const isHub = url.origin === new URL(endpoint).origin;
    try {
      return await request(url, {
        method,
        dispatcher: this.#dispatcher,
        headersTimeout: this.#timing.silenceMs,
        bodyTimeout: this.#timing.silenceMs,
        headers: {
          'user-agent': 'llamagen-webgpu',
          // Ranges and sizes are those of the file, not of a packed form.
          'accept-encoding': 'identity',
          ...(token && isHub && { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(this.#signal && { signal: this.#signal }),
      });
    } catch (cause) {
      throw this.interrupted(url, cause);
    }
  }

  /** What to throw when a connection broke: the reason of an abort, else a TransientError. */
  interrupted(url: URL, cause: unknown): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    return new TransientError('network', `${url.host}: ${networkProblem(cause)}`, 0, { cause });
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }
}

/** An address without its query: those of a CDN carry signatures. */
export const shown = (url: URL): string => `${url.origin}${url.pathname}`;

/** One value of a header. */
export function header({ headers }: Response, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}

const NETWORK_PROBLEMS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name of the server is not known; is this machine connected to the internet?',
  EAI_AGAIN:
    'the name of the server cannot be looked up; is this machine connected to the internet?',
  ECONNREFUSED: 'the server refuses connections',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'the server cannot be reached',
  ENETUNREACH: 'there is no network',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'the server does not answer',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_CONNECT_TIMEOUT: 'the server does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'the server does not answer',
  UND_ERR_BODY_TIMEOUT: 'the server stopped sending',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the connection was cut',
};

function networkProblem(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return NETWORK_PROBLEMS[code] ?? (error.message || error.name);
}
