/** What an engine tells of its requests, and how it treats those that wait, leave or fail. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createEngine,
  DeviceError,
  type Engine,
  type EngineEvent,
  generate,
  type ImageRequest,
  loadModel,
  type Model,
  OptionError,
  type SubmitOptions,
  WeightsError,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { fullDevice } from '../support/full-device.ts';
import { tinyFolder } from '../support/tiny-model.ts';

/** Of the tiny model: 4x4 tokens, pictures of 8x8. */
const TOTAL = 16;

let device: GPUDevice;
let model: Model;
beforeAll(async () => {
  device = await testDevice();
  model = await loadModel(device, tinyFolder());
});
afterAll(() => model.destroy());

async function withEngine(capacity: number, use: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await createEngine(model, { capacity, rows: 8 });
  try {
    await use(engine);
  } finally {
    engine.destroy();
  }
}

async function eventsOf(
  engine: Engine,
  request: ImageRequest,
  options?: SubmitOptions,
): Promise<EngineEvent[]> {
  const events: EngineEvent[] = [];
  for await (const event of engine.submit(request, options)) events.push(event);
  return events;
}

const ofType = <T extends EngineEvent['type']>(events: readonly EngineEvent[], type: T) =>
  events.filter((e): e is Extract<EngineEvent, { type: T }> => e.type === type);

describe('events', () => {
  test('come in their order, and the image is that of generate', () =>
    withEngine(4, async (engine) => {
      const events = await eventsOf(engine, { classIndex: 2, seed: 5 });
      expect(events[0]).toEqual({ type: 'queued', ahead: 0 });
      expect(events[1]).toEqual({ type: 'started' });
      expect(events.at(-1)).toEqual({ type: 'done' });
      const tokens = ofType(events, 'tokens');
      expect(tokens.map(({ done }) => done)).toEqual(
        tokens.map(({ done }) => done).toSorted((a, b) => a - b),
      );
      const [image] = ofType(events, 'image');
      const { passes } = image ?? {};
      expect(passes).toBeGreaterThan(0);
      expect(tokens.at(-1)).toEqual({ type: 'tokens', done: TOTAL, total: TOTAL, passes });
      const [same] = (await generate(model, { classes: [2], seed: 5 })).images;
      expect(image?.tokens).toEqual(same?.tokens);
      expect(image?.picture?.rgba).toEqual(same?.rgba);
    }));

  test('have the grid so far where it is asked for', () =>
    withEngine(2, async (engine) => {
      const events = await eventsOf(engine, { classIndex: 1, seed: 3, gridEvery: 5, window: 1 });
      const [image] = ofType(events, 'image');
      const grids = ofType(events, 'tokens').filter(({ tokens }) => tokens);
      expect(grids.map(({ done }) => done)).toEqual([5, 10, 15]);
      for (const { done, tokens } of grids) {
        expect(tokens).toEqual(image?.tokens.slice(0, done));
      }
    }));

  test('have previews: what is drawn is opaque, the rest transparent', () =>
    withEngine(2, async (engine) => {
      const events = await eventsOf(engine, { classIndex: 1, seed: 3, previewEvery: 6, window: 1 });
      const previews = ofType(events, 'preview');
      expect(previews[0]?.done).toBe(6);
      for (const { done, picture } of previews) {
        const { width, height, rgba } = picture;
        const opaque = rgba.filter((_, i) => i % 4 === 3).filter((alpha) => alpha === 255).length;
        expect([width, height, opaque / (width * height)]).toEqual([8, 8, done / TOTAL]);
      }
    }));

  test('without pixels are tokens alone', () =>
    withEngine(1, async (engine) => {
      const asked = { classIndex: 0, cfgScale: 1, pixels: false };
      const [image] = ofType(await eventsOf(engine, asked), 'image');
      expect(image?.picture).toBeUndefined();
      expect(image?.tokens).toHaveLength(TOTAL);
    }));
});

describe('given first tokens', () => {
  test('of an image give the rest of it, in one pass or in many', () =>
    withEngine(8, async (engine) => {
      const asked = { classIndex: 3, seed: 11, pixels: false, window: 1 };
      const [whole] = ofType(await eventsOf(engine, asked), 'image');
      // Several rows of one slot in a pass, once there is a program for them.
      await engine.prepare(8);
      for (const length of [1, 3, 9, 15, 16]) {
        const prefix = whole!.tokens.slice(0, length);
        const [image] = ofType(await eventsOf(engine, { ...asked, prefix }), 'image');
        expect(image?.tokens, `${length} given`).toEqual(whole?.tokens);
      }
      const steps = engine.stats.steps;
      await eventsOf(engine, { ...asked, prefix: whole!.tokens.slice(0, 15) });
      expect(engine.stats.steps - steps).toBe(4);
    }));
});

describe('requests that wait', () => {
  test('begin in their order when there are slots', () =>
    withEngine(4, async (engine) => {
      const started: number[] = [];
      const ended: number[] = [];
      const one = async (seed: number): Promise<number> => {
        let ahead = -1;
        for await (const event of engine.submit({ classIndex: 0, seed, pixels: false })) {
          if (event.type === 'queued') ahead = event.ahead;
          if (event.type === 'started') started.push(seed);
        }
        ended.push(seed);
        return ahead;
      };
      const ahead = await Promise.all([0, 1, 2, 3, 4].map(one));
      expect(ahead).toEqual([0, 1, 2, 3, 4]);
      expect(started).toEqual([0, 1, 2, 3, 4]);
      expect(ended).toEqual([0, 1, 2, 3, 4]);
    }));

  test('get the slots of one that is aborted', () =>
    withEngine(2, async (engine) => {
      const stop = new AbortController();
      const reason = new Error('enough');
      const first = eventsOf(engine, { classIndex: 0, gridEvery: 1 }, { signal: stop.signal });
      const second = eventsOf(engine, { classIndex: 1, seed: 4, pixels: false });
      stop.abort(reason);
      await expect(first).rejects.toBe(reason);
      const [image] = ofType(await second, 'image');
      const [alone] = (await generate(model, { classes: [1], seed: 4 })).images;
      expect(image?.tokens).toEqual(alone?.tokens);
    }));

  test('leave the queue when nobody takes their events any more', () =>
    withEngine(2, async (engine) => {
      const running = eventsOf(engine, { classIndex: 0, pixels: false });
      for await (const event of engine.submit({ classIndex: 1 })) {
        expect(event).toMatchObject({ type: 'queued' });
        break;
      }
      expect((await running).at(-1)).toEqual({ type: 'done' });
      await engine.idle();
      expect(engine.jobs).toBe(0);
    }));
});

describe('a request that can never be met is refused at once', () => {
  test.each<[string, ImageRequest, RegExp]>([
    ['a class', { classIndex: 5 }, /"classIndex" expected an integer from 0 to 4, got 5/],
    ['a long prefix', { classIndex: 0, prefix: Array(17).fill(0) }, /"prefix" has 17 .* has 16/],
    ['a token', { classIndex: 0, prefix: [64] }, /"prefix: token" .* from 0 to 63, got 64/],
    ['a setting', { classIndex: 0, topP: 2 }, /"topP" expected a number from 0 to 1, got 2/],
    ['a seed', { classIndex: 0, seed: -1 }, /"seed" .* got -1/],
    ['an interval', { classIndex: 0, previewEvery: 0 }, /"previewEvery" .* from 1 .* got 0/],
    ['guidance', { classIndex: 0 }, /takes 2 slots, and this engine has a capacity of 1/],
  ])('%s', (_, request, message) =>
    withEngine(1, async (engine) => {
      expect(() => engine.submit(request)).toThrow(message);
      expect(() => engine.submit(request)).toThrow(OptionError);
    }),
  );

  test('and so is an engine without slots', async () => {
    await expect(createEngine(model, { capacity: 0 })).rejects.toThrow(
      /"capacity" expected an integer from 1 to \d+ or "auto", got 0/,
    );
  });
});

describe('failing', () => {
  test('is of one request alone', async () => {
    const broken = await loadModel(
      device,
      tinyFolder({
        change: (name, values) => {
          // The class 2 alone has a vector that overflows.
          if (name.startsWith('cls_embedding')) values.fill(1e30, 2 * 64, 3 * 64);
        },
      }),
    );
    const engine = await createEngine(broken, { capacity: 8 });
    const ask = (classIndex: number) => eventsOf(engine, { classIndex, seed: 1 });
    const [good, bad, other] = await Promise.allSettled([ask(0), ask(2), ask(1)]);
    expect([good.status, bad.status, other.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const { reason } = bad as PromiseRejectedResult;
    expect(reason).toBeInstanceOf(WeightsError);
    expect(String(reason)).toMatch(/image 1 \(class 2, seed 1\), step 0 of 16/);
    // And its slots are free again.
    expect((await ask(3)).at(-1)).toEqual({ type: 'done' });
    engine.destroy();
    broken.destroy();
  });

  test('with its engine ends a request, and every later one', async () => {
    const engine = await createEngine(model, { capacity: 4 });
    const running = eventsOf(engine, { classIndex: 0, gridEvery: 1 });
    engine.destroy();
    for (const events of [running, eventsOf(engine, { classIndex: 1 })]) {
      await expect(events).rejects.toBeInstanceOf(DeviceError);
      await expect(events).rejects.toThrow(/engine was destroyed/);
    }
    await expect(engine.prepare(1)).rejects.toThrow(/engine was destroyed/);
  });

  test('without room for what is read of it leaves no engine behind', async () => {
    const full = await loadModel(fullDevice(device, 5000, /^tokens$/), tinyFolder());
    const before = full.memory;
    // Its own line of tokens, and a copy for each chunk.
    await expect(createEngine(full, { capacity: 16 })).rejects.toMatchObject({
      problem: 'out-of-memory',
    });
    expect(full.memory).toEqual(before);
    full.destroy();
  });

  test('with its model ends a request', async () => {
    const own = await loadModel(device, tinyFolder());
    const engine = await createEngine(own, { capacity: 4 });
    const running = eventsOf(engine, { classIndex: 0, gridEvery: 1 });
    own.destroy();
    await expect(running).rejects.toThrow(/model tiny was destroyed/);
    await expect(eventsOf(engine, { classIndex: 1 })).rejects.toThrow(/model tiny was destroyed/);
  });
});

test('joining and leaving creates no buffer, pipeline or bind group', () =>
  withEngine(8, async (engine) => {
    const round = async (): Promise<void> => {
      const stop = new AbortController();
      const ask = (classIndex: number, cfgScale: number, signal?: AbortSignal) =>
        eventsOf(
          engine,
          // One, two or four positions a pass.
          {
            classIndex,
            cfgScale,
            seed: 2,
            gridEvery: 3,
            pixels: false,
            window: 2 ** (classIndex % 3),
          },
          { signal },
        );
      const left = ask(0, 3, stop.signal);
      const others = [ask(1, 1), ask(2, 3), ask(3, 1), ask(1, 2), ask(0, 1)];
      stop.abort(new Error('enough'));
      await expect(left).rejects.toThrow('enough');
      await Promise.all(others);
      await engine.idle();
    };
    for (const rows of [1, 2, 4, 8]) await engine.prepare(rows);
    await round();
    await round();
    const made: string[] = [];
    const watched = ['createBuffer', 'createBindGroup', 'createComputePipelineAsync'] as const;
    const originals = watched.map((name) => device[name]);
    for (const [i, name] of watched.entries()) {
      Object.defineProperty(device, name, {
        configurable: true,
        value: (...args: unknown[]) => {
          made.push(name);
          return Reflect.apply(originals[i]!, device, args);
        },
      });
    }
    try {
      await round();
      await round();
    } finally {
      for (const name of watched) Reflect.deleteProperty(device, name);
    }
    expect(made).toEqual([]);
  }));
