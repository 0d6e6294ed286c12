/** HTTP as the hub client needs it: proxies, timeouts, and errors that say what to do. */
import { Agent, type Dispatcher, request } from 'undici';
import { DownloadError } from '../../errors.ts';
import { TransientError } from '../../hub/transient.ts';
import { Connections } from './connections.ts';
import { connectionError } from './problems.ts';
import type { HubSettings, HubTiming } from './settings.ts';

export type Response = Dispatcher.ResponseData;

/** Sends requests of one download. Close it to drop its connections. */
export class HubHttp {
  readonly #connections: Connections;
  readonly #dispatcher: Dispatcher;
  readonly #settings: HubSettings;
  readonly #timing: HubTiming;
  readonly #signal: AbortSignal | undefined;

  constructor(settings: HubSettings, timing: HubTiming, signal: AbortSignal | undefined) {
    this.#connections = new Connections({ proxies: settings.proxies, timing });
    this.#dispatcher = new Agent({ connect: this.#connections.connector });
    this.#settings = settings;
    this.#timing = timing;
    this.#signal = signal;
    // Undici notices an abort only once it has a connection.
    signal?.addEventListener('abort', this.#stop, { once: true });
  }

  /** Whether any server or proxy was reached: if not, there may be no network. */
  get contacted(): boolean {
    return this.#connections.contacted;
  }

  /**
   * Sends one request and follows no redirect. The token goes to the endpoint only.
   * @returns An answer whose body may be left or destroyed at any time.
   * @throws DownloadError when no answer comes.
   */
  async send(
    method: 'GET' | 'HEAD',
    url: URL,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const { token, endpoint } = this.#settings;
    const isHub = url.origin === new URL(endpoint).origin;
    try {
      const response = await request(url, {
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
      // Readers learn of it in any case. Where nobody reads any more, it must not end the process.
      response.body.on('error', () => {});
      return response;
    } catch (cause) {
      throw this.interrupted(url, cause);
    }
  }

  /** What to throw when a connection broke: the reason of an abort, else a DownloadError. */
  interrupted(url: URL, cause: unknown): unknown {
    if (this.#signal?.aborted) return this.#signal.reason;
    if (cause instanceof DownloadError) return cause;
    return connectionError(url.host, cause);
  }

  readonly #stop = (): void => this.#connections.close(this.#signal?.reason);

  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#stop);
    this.#connections.close(new TransientError('network', 'the download ended'));
    await this.#dispatcher.destroy();
  }
}

/** One value of a header. */
export function header({ headers }: Response, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
}
