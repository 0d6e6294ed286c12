/** A client over HTTP that may hang up in the midst of an answer. */
import { Agent, get, type IncomingMessage, request } from 'node:http';

/** When a client hangs up. */
export type Cut = { readonly afterMs: number } | { readonly afterChunks: number };

export interface Asking {
  readonly body: object;
  /** An `Idempotency-Key`. */
  readonly key?: string | undefined;
  readonly cut?: Cut | undefined;
}

export interface Answered {
  readonly status: number | 'cut';
  readonly text: string;
}

export class HttpClient {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true });

  constructor(url: string) {
    this.#url = url;
  }

  /** Asks for images. */
  ask({ body, key, cut }: Asking): Promise<Answered> {
    const headers = {
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
    };
    return new Promise((resolve, reject) => {
      let isCut = false;
      const options = { method: 'POST', agent: this.#agent, headers };
      const asked = request(`${this.#url}/v1/images/generations`, options, (response) => {
        let chunks = 0;
        response.on('data', () => {
          if (cut && 'afterChunks' in cut && ++chunks === cut.afterChunks) hangUp();
        });
        textOf(response).then(
          (text) => done({ status: response.statusCode ?? 0, text }),
          (error) => failed(error),
        );
      });
      const hangUp = (): void => {
        isCut = true;
        asked.destroy();
      };
      const timer = cut && 'afterMs' in cut ? setTimeout(hangUp, cut.afterMs) : undefined;
      const done = (answered: Answered): void => {
        clearTimeout(timer);
        resolve(isCut ? { status: 'cut', text: '' } : answered);
      };
      const failed = (error: unknown): void => {
        clearTimeout(timer);
        if (isCut) resolve({ status: 'cut', text: '' });
        else reject(error);
      };
      asked.on('error', failed);
      asked.end(JSON.stringify(body));
    });
  }

  /** @returns The file at a URL as base64; nothing where it is there no more. */
  fetch(url: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const asked = get(url, { agent: this.#agent }, (response) => {
        const isThere = response.statusCode === 200;
        textOf(response, 'base64').then((text) => resolve(isThere ? text : undefined), reject);
      });
      asked.on('error', reject);
    });
  }

  /** Closes connections that wait for the next request. */
  close(): void {
    this.#agent.destroy();
  }
}

async function textOf(
  response: IncomingMessage,
  encoding: 'utf8' | 'base64' = 'utf8',
): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString(encoding);
}
