/** The API as the official client sees it, with the model that ships. */
import { OpenAI } from 'openai';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { defaultModelFolder, openFolder } from '../../src/node/files.ts';
import { readMade } from '../../src/picture/made.ts';
import type { Backend } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { testDevice } from '../support/device.ts';
import { bytesOf, pngFacts, type Served, serve } from './support.ts';

let backend: Backend;
let served: Served;

/** All that were opened. */
const devices: GPUDevice[] = [];

beforeAll(async () => {
  await testDevice(); // defines the globals of WebGPU
  const { requestDevice } = GPUAdapter.prototype;
  vi.spyOn(GPUAdapter.prototype, 'requestDevice').mockImplementation(async function (
    this: GPUAdapter,
    descriptor,
  ) {
    const device = await requestDevice.call(this, descriptor);
    devices.push(device);
    return device;
  });
  backend = await createLocalBackend({ files: openFolder(defaultModelFolder()) });
  const aliases = new Map([['gpt-image-1', 'fruits-96']]);
  served = await serve({ backend, aliases });
});

afterAll(async () => {
  await served.close();
  await backend.close(0);
});

/** What this API knows and the official one does not. */
const seeded = (seed: number): object => ({ seed });

test('draws a class as a PNG that says how it was made', async () => {
  const answer = await served.client.images.generate({ prompt: 'Lemon', ...seeded(7) });
  const [image] = answer.data ?? [];
  const { width, height, text } = pngFacts(bytesOf(image?.b64_json));
  expect([width, height]).toEqual([96, 96]);
  expect(readMade(text)).toMatchObject({
    model: 'fruits-96',
    images: [{ className: 'Lemon', seed: 7 }],
    fingerprint: backend.models[0]?.fingerprint,
  });
  expect(answer).toMatchObject({ usage: { input_tokens: 1, output_tokens: 144 } });
});

/** The kiwi of seed 3. */
let undisturbed: string | undefined;

test('streams previews and the image that a request without a stream gets', async () => {
  const asked = { prompt: 'Kiwi', model: 'gpt-image-1', ...seeded(3) };
  const stream = await served.client.images.generate({ ...asked, stream: true, partial_images: 3 });
  const events = [];
  for await (const event of stream) events.push(event);
  expect(events.map(({ type }) => type)).toEqual([
    'image_generation.partial_image',
    'image_generation.partial_image',
    'image_generation.partial_image',
    'image_generation.completed',
  ]);
  const previews = events.filter((event) => event.type === 'image_generation.partial_image');
  expect(previews.map((event) => event.partial_image_index)).toEqual([0, 1, 2]);
  const answer = await served.client.images.generate(asked);
  undisturbed = answer.data?.[0]?.b64_json;
  expect(events.at(-1)?.b64_json).toBe(undisturbed);
});

test('a device that is lost within a stream changes no pixel of it', async () => {
  const asked = { prompt: 'Kiwi', ...seeded(3) };
  const stream = await served.client.images.generate({ ...asked, stream: true, partial_images: 3 });
  const images: string[] = [];
  const device = devices.at(-1);
  for await (const event of stream) {
    if (event.type === 'image_generation.partial_image') device?.destroy();
    else images.push(event.b64_json);
  }
  expect(backend.load().resets).toBe(1);
  expect(images).toEqual([undisturbed]);
});

test('lists the model by its names', async () => {
  const models = await served.client.models.list();
  expect(models.data.map(({ id }) => id)).toEqual(['fruits-96', 'gpt-image-1']);
  const model = await served.client.models.retrieve('gpt-image-1');
  expect(model).toMatchObject({ object: 'model', name: 'fruits-96', size: '96x96' });
});

test('errors are those that the client knows', async () => {
  const images = served.client.images;
  await expect(images.generate({ prompt: 'Lemom' })).rejects.toMatchObject({
    ...{ status: 400, param: 'prompt', code: 'unknown_class', type: 'invalid_request_error' },
    message: '400 unknown class "Lemom": did you mean "Lemon"?',
  });
  const unknown = images.generate({ prompt: 'Lemon', model: 'dall-e-3' });
  await expect(unknown).rejects.toBeInstanceOf(OpenAI.NotFoundError);
});
