/** Several tokens a pass are the tokens of one a pass, bit for bit. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type Engine, type ImageRequest } from '../../src/engine/index.ts';
import { loadModel, type Model, WeightsError } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { goldenFolder } from '../support/golden-model.ts';
import { tinyFolder } from '../support/tiny-model.ts';

/** Tokens of a grid. */
const TOTAL = 16;

let model: Model;
let engine: Engine;
beforeAll(async () => {
  model = await loadModel(await testDevice(), await goldenFolder());
  engine = await createEngine(model, { capacity: 4, rows: 16 });
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
    for (const window of [2, 3, 8, 16]) {
      const { tokens, passes } = await draw({ ...request, window });
      expect(tokens, `window ${window}`).toEqual(one.tokens);
      expect(passes, `window ${window}`).toBeLessThanOrEqual(one.passes);
    }
  });
});

test('side by side, each with a window of its own', async () => {
  const all = Object.values(REQUESTS);
  const alone: Drawn[] = [];
  for (const request of all) alone.push(await draw({ ...request, window: 1 }));
  for (const windows of [[1, 2, 3, 4], [16, 1], [8]]) {
    const run = all.map((request, i) => draw({ ...request, window: windows[i % windows.length]! }));
    const together = await Promise.all(run);
    expect(together.map(({ tokens }) => tokens)).toEqual(alone.map(({ tokens }) => tokens));
  }
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

test('the grid so far is told at multiples of what was asked for, each once', async () => {
  // Few guesses are right: it takes many passes.
  const request = { ...REQUESTS.greedy!, window: 3, pixels: false, gridEvery: 3 };
  const grids: { readonly done: number; readonly tokens: readonly number[] }[] = [];
  let all: readonly number[] = [];
  for await (const event of engine.submit(request)) {
    if (event.type === 'tokens' && event.tokens) {
      grids.push({ done: event.done, tokens: [...event.tokens] });
    }
    if (event.type === 'image') all = [...event.tokens];
  }
  expect(grids.length).toBeGreaterThan(1);
  for (const { done, tokens } of grids) {
    expect(done % 3).toBe(0);
    expect(tokens).toEqual(all.slice(0, done));
  }
  expect(new Set(grids.map(({ done }) => done)).size).toBe(grids.length);
});

describe('logits that are not finite', () => {
  /** A model in which a token is no number. */
  const without = async (token: number): Promise<Model> =>
    loadModel(
      await testDevice(),
      tinyFolder({
        change: (name, values) => {
          if (name.startsWith('tok_embeddings')) values.fill(1e30, token * 64, (token + 1) * 64);
        },
      }),
    );

  const outcome = async (own: Model, window: number): Promise<string> => {
    const other = await createEngine(own, { capacity: 1, rows: 8 });
    try {
      const request = {
        classIndex: 1,
        seed: 3,
        cfgScale: 1,
        temperature: 9,
        pixels: false,
        window,
      };
      for await (const event of other.submit(request)) {
        if (event.type === 'image') return String(event.tokens);
      }
      return 'nothing';
    } catch (error) {
      expect(error).toBeInstanceOf(WeightsError);
      return String(error);
    } finally {
      other.destroy();
    }
  };

  test('are told at their step, and never of a guess', async () => {
    const fine = await loadModel(await testDevice(), tinyFolder());
    const tokens = (await outcome(fine, 1)).split(',').map(Number);
    fine.destroy();
    // A token that is drawn in the middle, and one that is not drawn, but guessed at first.
    expect(tokens).not.toContain(0);
    for (const [token, told] of [
      [tokens[7]!, /step \d+ of 16/],
      [0, /^\d+(,\d+)*$/],
    ] as const) {
      const own = await without(token);
      const one = await outcome(own, 1);
      expect(one).toMatch(told);
      for (const window of [3, 8]) expect(await outcome(own, window), `window ${window}`).toBe(one);
      own.destroy();
    }
  });
});
