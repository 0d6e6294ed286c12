/** Requests that join, leave and are aborted at any step, with windows of any size, have the tokens that they have alone. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type Engine, type ImageRequest } from '../../src/engine/index.ts';
import { loadModel, type Model } from '../../src/index.ts';
import { anyCaption } from '../support/captions.ts';
import { testDevice } from '../support/device.ts';
import { few } from '../support/few.ts';
import { goldenFolder } from '../support/golden-model.ts';
import { uniform } from '../support/random.ts';

/** Seeds of schedules; `npm test` runs some of them, `npm run test:long` the others. */
const seeds = (count: number): readonly number[] =>
  few(
    count,
    Array.from({ length: 1000 }, (_, seed) => seed),
  );
/** KV slots: one guided request at a time, one and a half, several. */
const CAPACITIES = [2, 3, 8];
/** Rows of a pass, which windows of several requests have to share. */
const ROWS = 8;
const WINDOWS = [1, 2, 3, 8, 16];
/** Tokens of a grid. */
const TOTAL = 16;

/** Guided or not, filtered or not, with given first tokens or none. */
const REQUESTS: readonly ImageRequest[] = [
  { classIndex: 1, seed: 1 },
  // At high temperatures tokens hardly depend on those before them, and guesses are often right.
  { classIndex: 4, seed: 2, cfgScale: 1, temperature: 6 },
  { classIndex: 7, seed: 3, cfgScale: 2, cfgInterval: 5, temperature: 20 },
  { classIndex: 7, seed: 4, cfgScale: 1, topK: 20 },
  { classIndex: 0, seed: 5, topK: 9, topP: 0.8, temperature: 0.7 },
  { classIndex: 2, greedy: true },
  { classIndex: 3, greedy: true, cfgScale: 1 },
  { classIndex: 10, seed: 6, cfgScale: 1 },
  { classIndex: 5, seed: 7, prefix: [3, 250, 7, 7, 19] },
  { classIndex: 6, seed: 8, cfgScale: 1, prefix: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10] },
  { classIndex: 9, seed: 9, prefix: Array.from({ length: TOTAL - 1 }, (_, i) => 16 * i) },
  { classIndex: 9, seed: 9, prefix: Array.from({ length: TOTAL }, (_, i) => 16 * i) },
].map((request) => ({ ...request, pixels: false }));

/** The same behind captions of all lengths. */
const LENGTHS = [1, 12, 2, 11, 5, 7];
const CAPTIONED: readonly ImageRequest[] = REQUESTS.map(({ classIndex: _, ...request }, i) => ({
  ...request,
  caption: anyCaption(LENGTHS[i % LENGTHS.length]!, i),
}));

/** The tokens of a request, or how it ended without. */
async function tokensOf(
  engine: Engine,
  request: ImageRequest,
  { signal, onEvent }: { signal?: AbortSignal; onEvent?: () => void } = {},
): Promise<string> {
  try {
    for await (const event of engine.submit(request, { signal })) {
      onEvent?.();
      if (event.type === 'image') return String(event.tokens);
    }
    return 'nothing';
  } catch (error) {
    if (error === signal?.reason) return 'aborted';
    throw error;
  }
}

describe.each([
  { name: 'c2i_tiny', REQUESTS, SEEDS: seeds(250) },
  { name: 't2i_tiny', REQUESTS: CAPTIONED, SEEDS: seeds(60) },
] as const)('$name', ({ name, REQUESTS, SEEDS }) => {
  let model: Model;
  let engines: Engine[];
  let alone: string[];

  beforeAll(async () => {
    model = await loadModel(await testDevice(), await goldenFolder(name));
    engines = await Promise.all(
      CAPACITIES.map((capacity) => createEngine(model, { capacity, rows: ROWS })),
    );
    alone = [];
    for (const request of REQUESTS)
      alone.push(await tokensOf(engines[0]!, { ...request, window: 1 }));
  });
  afterAll(() => {
    for (const engine of engines) engine.destroy();
    model.destroy();
  });

  test('requests alone differ, and begin with what was given', () => {
    expect(new Set(alone).size).toBe(REQUESTS.length);
    for (const [i, { prefix = [] }] of REQUESTS.entries()) {
      expect(alone[i]!.split(',').slice(0, prefix.length).map(Number)).toEqual(Array.from(prefix));
    }
  });

  test(`${SEEDS.length} random schedules`, async () => {
    let aborted = 0;
    for (const seed of SEEDS) {
      const next = uniform(seed);
      const below = (n: number): number => Math.floor(next() * n);
      const engine = engines[below(engines.length)]!;
      // Each event of any request is a moment at which the next one may join or leave.
      let moment = 0;
      const until: { at: number; act: () => void }[] = [];
      const tick = (): void => {
        moment++;
        for (const { act } of until.filter(({ at }) => at === moment)) act();
      };
      const at = (when: number, act: () => void): void => {
        if (when <= moment) act();
        else until.push({ at: when, act });
      };
      const outcomes: Promise<void>[] = [];
      const count = 1 + below(5);
      const join = (left: number): void => {
        const index = below(REQUESTS.length);
        const stop = new AbortController();
        const isAborted = next() < 0.2;
        if (isAborted) at(moment + below(12), () => stop.abort(new Error('enough')));
        // Chunks end where a grid is asked for: so requests meet at all steps.
        const gridEvery = 1 + below(6);
        const window = WINDOWS[below(WINDOWS.length)]!;
        const how = { signal: stop.signal, onEvent: tick };
        const request = { ...REQUESTS[index]!, gridEvery, window };
        const run = tokensOf(engine, request, how).then((tokens) => {
          if (tokens === 'aborted') aborted++;
          if (tokens !== 'aborted' || !isAborted) expect(tokens, `seed ${seed}`).toBe(alone[index]);
        });
        outcomes.push(run);
        if (left > 1) at(moment + below(5), () => join(left - 1));
      };
      join(count);
      // Who joins at a moment that never comes joins when all others are done.
      for (let done = 0; done < outcomes.length; done++) {
        await outcomes[done];
        if (done === outcomes.length - 1 && outcomes.length < count) {
          const [first] = until.splice(0, 1);
          first?.act();
        }
      }
      await engine.idle();
      expect(engine.jobs).toBe(0);
    }
    expect(aborted).toBeGreaterThan(SEEDS.length / 20);
  });
});
