/** Images of texts over HTTP: prompts are read on the device that draws. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { generateFromPrompts, loadModel, loadTextModel } from '../../src/index.ts';
import { encodePng } from '../../src/node/png.ts';
import { readMade } from '../../src/picture/made.ts';
import type { Backend } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { testDevice, testKernels } from '../support/device.ts';
import { tinyTextFolder } from '../support/tiny-text-model.ts';
import { answerOf, bytesOf, pngFacts, type Served, serve } from './support.ts';

let backend: Backend;
let served: Served;

beforeAll(async () => {
  backend = await createLocalBackend({ files: tinyTextFolder() });
  served = await serve({ backend });
});
afterAll(async () => {
  await served.close();
  await backend.close(0);
});

test('have the pixels that the library draws, and say their prompt', async () => {
  const answer = await answerOf(await served.post({ prompt: 'two lemon', n: 2, seed: 6 }));
  const [device, kernels] = [await testDevice(), await testKernels()];
  const model = await loadModel(device, tinyTextFolder(), kernels);
  const text = await loadTextModel(device, tinyTextFolder(), kernels);
  const { images } = await generateFromPrompts(model, text, ['two lemon', 'two lemon'], {
    seed: 6,
  });
  for (const [i, { b64_json, seed, revised_prompt }] of answer.data.entries()) {
    const png = bytesOf(b64_json);
    const made = readMade(pngFacts(png).text);
    expect(made).toMatchObject({
      images: [{ prompt: 'two lemon', seed }],
      encoder: text.encoder.modelDigest,
    });
    expect(revised_prompt).toBe('two lemon');
    const own = encodePng(images[i]!, { text: Object.fromEntries(pngFacts(png).text) });
    expect(png.equals(own)).toBe(true);
  }
  text.destroy();
  model.destroy();
});

test.each([
  ['of nothing but blanks', '   ', /prompt .*is empty/],
  ['of which cleaning leaves nothing', 'https://example.org', /has no words once it is cleaned/],
  ['with control characters', 'a cat\u0007', /control character U\+0007/],
])('a prompt %s is refused, in a stream too', async (_, prompt, message) => {
  for (const stream of [false, true]) {
    const response = await served.post({ prompt, stream });
    expect(response.status).toBe(400);
    const { error } = await answerOf(response);
    expect(error?.message).toMatch(message);
    expect(error?.param).toBe('prompt');
  }
});

test('a prompt that nobody waits for any more is let go at once, and read anew for who comes', async () => {
  const stop = new AbortController();
  const [model] = backend.models;
  if (!model) throw new Error('no model');
  const job = { model: model.name, condition: { prompt: 'three lemon' }, sampling: {}, seed: 1 };
  const left = backend.submit(job, { signal: stop.signal });
  const waiting = left[Symbol.asyncIterator]().next();
  expect(backend.load().waiting).toBe(1);
  stop.abort(new Error('gone'));
  const types: string[] = [];
  const stays = backend.submit(job, { signal: new AbortController().signal });
  await expect(waiting).rejects.toBe(stop.signal.reason);
  expect(backend.load().waiting).toBe(0);
  for await (const { type } of stays) types.push(type);
  expect(types).toContain('image');
});

test('the model says what it knows', async () => {
  const response = await fetch(`${served.url}/v1/models/tiny-texts`);
  expect(await response.json()).toMatchObject({ words: expect.arrayContaining(['lemon']) });
});
