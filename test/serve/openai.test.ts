/** The API as the official client sees it, with the model that ships. */
import { OpenAI } from 'openai';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readMade } from '../../src/cli/picture-text.ts';
import { defaultModelFolder, openFolder } from '../../src/node/files.ts';
import { createApp } from '../../src/serve/app.ts';
import type { Backend } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { pngFacts } from './support.ts';

let backend: Backend;
let client: OpenAI;
let close: () => Promise<void>;

beforeAll(async () => {
  backend = await createLocalBackend({ files: openFolder(defaultModelFolder()) });
  const app = await createApp({ backend });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
  close = () => app.close();
});

afterAll(async () => {
  await close();
  await backend.close(0);
});

test('draws a class as a PNG that says how it was made', async () => {
  const { data } = await client.images.generate({
    prompt: 'Lemon',
    // @ts-expect-error the official API has no seeds
    seed: 7,
  });
  const [image] = data ?? [];
  const { width, height, text } = pngFacts(Buffer.from(image?.b64_json ?? '', 'base64'));
  expect([width, height]).toEqual([96, 96]);
  expect(readMade(text)).toMatchObject({
    model: 'fruits-96',
    images: [{ className: 'Lemon', seed: 7 }],
    fingerprint: backend.models[0]?.fingerprint,
  });
});

test('lists the model', async () => {
  const models = await client.models.list();
  expect(models.data.map(({ id }) => id)).toEqual(['fruits-96']);
});
