/** What tests of the server share: the smallest golden model behind a real server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpenAI } from 'openai';
import { readPngFacts } from '../../src/node/png-read.ts';
import type { PngFacts } from '../../src/picture/png-parts.ts';
import { createServer, type Server } from '../../src/serve/app.ts';
import type { Backend } from '../../src/serve/backend.ts';
import { createLocalBackend, type LocalOptions } from '../../src/serve/local-backend.ts';
import type { ServerOptions } from '../../src/serve/server-options.ts';
import { goldenFolder } from '../support/golden-model.ts';

/** 10 classes, 4x4 tokens, 8x8 pixels. */
export const tinyBackend = async (options: Partial<LocalOptions> = {}): Promise<Backend> =>
  createLocalBackend({ files: await goldenFolder(), ...options });

export interface Served {
  readonly url: string;
  readonly server: Server;
  readonly client: OpenAI;
  /** Posts a body as it is. */
  post(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  close(): Promise<void>;
}

/** A server of a backend, at any free port. */
export async function serve(options: ServerOptions): Promise<Served> {
  const server = await createServer(options);
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    server,
    client: new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 }),
    post: (body, headers = {}) =>
      fetch(`${url}/v1/images/generations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
    close: () => server.close(0),
  };
}

/** An answer, as far as tests look into it. */
export interface Answer {
  readonly data: readonly {
    readonly b64_json?: string;
    readonly url?: string;
    readonly seed: number;
    readonly revised_prompt: string;
  }[];
  readonly error?: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
  readonly seed: number;
  readonly fingerprint: string;
}

export const answerOf = async (response: Response): Promise<Answer> =>
  (await response.json()) as Answer;

/** The bytes of base64. */
export const bytesOf = (base64 = ''): Buffer => Buffer.from(base64, 'base64');

/** Size and texts of a PNG that came over HTTP. */
export function pngFacts(png: Uint8Array): PngFacts {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-serve-'));
  try {
    const file = join(folder, 'image.png');
    writeFileSync(file, png);
    return readPngFacts(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
