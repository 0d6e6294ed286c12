/** A server of this project over HTTP, on the loopback of this machine, with an engine as large. */

import type { LoadOptions } from '../../src/index.ts';
import type { ModelJson } from '../../src/models/model-json.ts';
import { createServer } from '../../src/serve/app.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { importServer } from '../../src/serve/peers.ts';
import type { ModelFiles } from '../../src/weights/source.ts';
import { imageOf, type Target } from './target.ts';

export interface HttpOptions {
  readonly files: ModelFiles;
  readonly config: ModelJson;
  readonly load: Pick<LoadOptions, 'dtype' | 'precision' | 'kvDtype'>;
  /** Guided images that there are slots for. */
  readonly images: number;
}

/** Requests that may wait: loads of the bench are to be served, not refused. */
const WAITING = 100_000;

/** Serves until it is closed. Who asks is this process too. */
export async function httpTarget({ files, config, load, images }: HttpOptions): Promise<Target> {
  const { sharp } = await importServer();
  const backend = await createLocalBackend({ files, load, capacity: 2 * images });
  const limits = { waiting: WAITING, connections: WAITING, requestsAMinute: 0 };
  const server = await createServer({ backend, limits });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    async draw(index) {
      const { classIndex, seed } = imageOf(index, { config });
      const response = await fetch(`${url}/v1/images/generations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: `class:${classIndex}`, seed, response_format: 'b64_json' }),
      });
      if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
      const { data } = (await response.json()) as { data: readonly { b64_json: string }[] };
      const png = Buffer.from(data[0]?.b64_json ?? '', 'base64');
      return sharp(png).ensureAlpha().raw().toBuffer();
    },
    counts: () => backend.load(),
    async close() {
      await server.close(0);
      await backend.close(0);
    },
  };
}
