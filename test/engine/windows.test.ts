/** Several tokens a pass are the tokens of one a pass, bit for bit. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type Engine, type ImageRequest } from '../../src/engine/index.ts';
import { loadModel, type Model } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { goldenFolder } from '../support/golden-model.ts';

/** Tokens of a grid. */
const TOTAL = 16;

let model: Model;
let engine: Engine;
beforeAll(async () => {
  model = await loadModel(await testDevice(), await goldenFolder());
  engine = await createEngine(model, { capacity: 2 });
});
afterAll(() => {
  engine.destroy();
  model.destroy();
});

interface Drawn {
  readonly tokens: readonly number[];
  readonly passes: number;
}

async function draw(request: ImageRequest): Promise<Drawn> {
  for await (const event of engine.submit({ pixels: false, ...request })) {
    if (event.type === 'image') return { tokens: [...event.tokens], passes: event.passes };
  }
  throw new Error('no image');
}

/** At high temperatures tokens hardly depend on those before them, so that guesses are often right. */
const REQUESTS: Readonly<Record<string, ImageRequest>> = {
  guided: { classIndex: 1, seed: 1, cfgScale: 3, temperature: 20 },
  'without guidance': { classIndex: 4, seed: 2, cfgScale: 1, temperature: 4 },
  'guided for a while': { classIndex: 7, seed: 3, cfgScale: 2, cfgInterval: 5, temperature: 9 },
  greedy: { classIndex: 3, greedy: true },
  filtered: { classIndex: 0, seed: 5, topK: 99, topP: 0.9, temperature: 8 },
  'with given tokens': { classIndex: 5, seed: 7, temperature: 8, prefix: [3, 250, 7, 7, 19] },
};

describe.each(Object.entries(REQUESTS))('%s', (_, request) => {
  test('in windows of any size', async () => {
    const one = await draw({ ...request, window: 1 });
    for (const window of [2, 3, 8]) {
      const { tokens, passes } = await draw({ ...request, window });
      expect(tokens, `window ${window}`).toEqual(one.tokens);
      expect(passes, `window ${window}`).toBeLessThanOrEqual(one.passes);
    }
  });
});

test('guesses are right now and then', async () => {
  const request = REQUESTS['without guidance']!;
  const [one, many] = [
    await draw({ ...request, window: 1 }),
    await draw({ ...request, window: 16 }),
  ];
  expect(many.tokens).toEqual(one.tokens);
  expect(one.passes).toBe(TOTAL);
  expect(many.passes).toBeLessThan(TOTAL - 2);
});
