/** Requests outlive the device that they run on, to the pixels of an undisturbed run; and where they cannot, they say so. */
import { describe, expect, test } from 'vitest';
import {
  createLastingEngine,
  type ImageRequest,
  type LastingEngine,
  type LastingEvent,
  type LastingOptions,
  type Loss,
  loadModel,
  type ModelFiles,
  OptionError,
} from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { anyCaption } from '../support/captions.ts';
import { goldenFolder } from '../support/golden-model.ts';
import { tinyFolder } from '../support/tiny-model.ts';
import { until } from '../support/until.ts';

/** Tokens of a grid. */
const TOTAL = 16;

/** Opens devices, and knows those that are open. */
class Opener {
  readonly devices: GPUDevice[] = [];
  open = 0;
  readonly #files: ModelFiles;

  constructor(files: ModelFiles) {
    this.#files = files;
  }

  readonly model = async () => {
    const { device, close } = await openDevice({ tuned: false });
    this.devices.push(device);
    this.open++;
    const model = await loadModel(device, this.#files);
    return {
      model,
      close: () => {
        this.open--;
        model.destroy();
        close();
      },
    };
  };

  /** The device that was opened last is lost. */
  lose(): void {
    this.devices.at(-1)?.destroy();
  }
}

const OPTIONS: LastingOptions = { capacity: 8, rows: 8, pauseMs: 0 };

async function withLasting(
  files: ModelFiles,
  use: (engine: LastingEngine, opener: Opener) => Promise<void>,
  options: LastingOptions = {},
): Promise<void> {
  const opener = new Opener(files);
  const engine = await createLastingEngine(opener.model, { ...OPTIONS, ...options });
  try {
    await use(engine, opener);
  } finally {
    engine.destroy();
  }
  expect(opener.open).toBe(0);
}

/** What came of a request, each event shown to `onEvent` first. */
async function eventsOf(
  events: AsyncIterable<LastingEvent>,
  onEvent: (event: LastingEvent) => void = () => {},
): Promise<LastingEvent[]> {
  const all: LastingEvent[] = [];
  for await (const event of events) {
    onEvent(event);
    all.push(event);
  }
  return all;
}

const ofType = <T extends LastingEvent['type']>(events: readonly LastingEvent[], type: T) =>
  events.filter((e): e is Extract<LastingEvent, { type: T }> => e.type === type);

/** Tokens, and pixels if it has any. */
function resultOf(events: readonly LastingEvent[]): string {
  const [image] = ofType(events, 'image');
  return JSON.stringify([Array.from(image!.tokens), Array.from(image!.picture?.rgba ?? [])]);
}

const CLASSES: readonly ImageRequest[] = [
  { classIndex: 1, seed: 1, window: 1, cfgScale: 1 },
  { classIndex: 7, seed: 3, cfgScale: 2, cfgInterval: 5, temperature: 20, window: 2 },
  { classIndex: 5, seed: 7, topK: 9, prefix: [3, 250, 7, 7, 19], window: 3 },
];
const CAPTIONS: readonly ImageRequest[] = CLASSES.map(({ classIndex: _, ...request }, i) => ({
  ...request,
  caption: anyCaption([1, 12, 5][i]!, i),
}));

describe('requests go on to the same pixels when their device is lost', () => {
  test.each([
    // In the middle of decoding its pixels a request has all tokens.
    { name: 'c2i_tiny', requests: CLASSES, losses: [3, TOTAL], pixels: true },
    { name: 't2i_tiny', requests: CAPTIONS, losses: [5], pixels: false },
  ] as const)('$name, lost after $losses tokens of the first', async ({ name, ...its }) => {
    const requests = its.requests.map((request, i) => {
      return { ...request, pixels: its.pixels && i === 0 };
    });
    await withLasting(await goldenFolder(name), async (engine, opener) => {
      const left: number[] = [...its.losses];
      const lose = (event: LastingEvent): void => {
        if (event.type !== 'tokens' || left[0] === undefined || event.done < left[0]) return;
        left.shift();
        opener.lose();
      };
      // Chunks end where a grid is asked for: so there is something to be lost in the middle of.
      const all = await Promise.all(
        requests.map((request, i) =>
          eventsOf(engine.submit({ ...request, gridEvery: 1 }), i === 0 ? lose : undefined),
        ),
      );
      expect(engine.resets).toBe(its.losses.length);
      for (const [i, request] of requests.entries()) {
        const undisturbed = await eventsOf(engine.submit({ ...request, window: 1 }));
        expect(resultOf(all[i]!)).toBe(resultOf(undisturbed));
      }
      const resumed = ofType(all[0]!, 'resumed');
      expect(resumed).toHaveLength(its.losses.length);
      for (const [i, least] of its.losses.entries())
        expect(resumed[i]!.done).toBeGreaterThanOrEqual(least);
      for (const events of all) expectOnce(events);
    });
  });
});

/** Nothing is told twice, and the grids so far are those of the image. */
function expectOnce(events: readonly LastingEvent[]): void {
  for (const type of ['queued', 'started', 'image', 'done'] as const)
    expect(ofType(events, type), type).toHaveLength(1);
  const [image] = ofType(events, 'image');
  const grids = ofType(events, 'tokens').filter(({ tokens }) => tokens);
  for (const { done, tokens } of grids) expect(tokens).toEqual(image?.tokens.slice(0, done));
  for (const told of [grids, ofType(events, 'tokens').filter(({ tokens }) => !tokens)]) {
    const counts = told.map(({ done }) => done);
    expect(counts).toEqual([...new Set(counts)].toSorted((a, b) => a - b));
  }
}

const asked: ImageRequest = { classIndex: 1, seed: 1, window: 1, cfgScale: 1, pixels: false };

describe('a device that is lost', () => {
  test('while nothing runs is opened again, and what comes meanwhile waits for it', () =>
    withLasting(tinyFolder(), async (engine, opener) => {
      opener.lose();
      await until(() => !engine.isOpen);
      expect(() => engine.submit({ classIndex: 99 })).toThrow(OptionError);
      const stop = new AbortController();
      const reason = new Error('enough');
      const aborted = eventsOf(engine.submit(asked, { signal: stop.signal }));
      const waiting = eventsOf(engine.submit(asked));
      for await (const event of engine.submit(asked)) {
        expect(event).toEqual({ type: 'queued', ahead: 2 });
        break;
      }
      stop.abort(reason);
      await expect(aborted).rejects.toBe(reason);
      const events = await waiting;
      expect(events[0]).toEqual({ type: 'queued', ahead: 1 });
      expectOnce(events);
      await engine.idle();
      expect([engine.jobs, engine.resets, engine.isOpen]).toEqual([0, 1, true]);
      // What was done still counts when it is destroyed.
      const { stats } = engine;
      expect(stats.tokens).toBe(TOTAL);
      engine.destroy();
      expect(engine.stats).toEqual(stats);
    }));

  test('has no request that left while it was gone', async () => {
    const opener = new Opener(tinyFolder());
    let goOn = (): void => {};
    const mayOpen = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const open = async () => {
      if (opener.devices.length > 0) await mayOpen;
      return opener.model();
    };
    const engine = await createLastingEngine(open, { ...OPTIONS, mostWaiting: 2 });
    opener.lose();
    await until(() => !engine.isOpen);
    const stop = new AbortController();
    const aborted = eventsOf(engine.submit(asked, { signal: stop.signal }));
    const left = engine.submit(asked);
    expect([engine.jobs, engine.load.waiting]).toEqual([2, 2]);
    const idle = engine.idle();
    stop.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await left.return?.();
    await idle;
    expect([engine.jobs, engine.load.waiting, engine.isOpen]).toEqual([0, 0, false]);
    const stays = eventsOf(engine.submit(asked)); // though no more than two may wait
    goOn();
    expectOnce(await stays);
    engine.destroy();
  });

  test('while pixels are made costs no pass, and those before it count', () =>
    withLasting(tinyFolder(), async (engine, opener) => {
      const events = await eventsOf(engine.submit({ ...asked, pixels: true }), (event) => {
        if (event.type === 'tokens' && event.done === TOTAL) opener.lose();
      });
      expect(ofType(events, 'resumed')).toEqual([{ type: 'resumed', done: TOTAL }]);
      expect(ofType(events, 'image')[0]?.passes).toBe(TOTAL);
    }));

  test('while programs are prepared is no fault of who asked', () =>
    withLasting(tinyFolder(), async (engine, opener) => {
      const prepared = engine.prepare(4);
      opener.lose();
      await prepared;
      expectOnce(await eventsOf(engine.submit(asked)));
    }));

  test('again and again at the same request ends that request alone', async () => {
    const losses: Loss[] = [];
    const onLost = (loss: Loss): void => void losses.push(loss);
    await withLasting(
      tinyFolder(),
      async (engine, opener) => {
        // As a request whose first pass is too much for a driver.
        const poison = eventsOf(engine.submit({ ...asked, gridEvery: 1 }), ({ type }) => {
          if (type === 'started' || type === 'resumed') opener.lose();
        });
        await expect(poison).rejects.toMatchObject({
          name: 'DeviceError',
          problem: 'lost',
          message: expect.stringMatching(/lost 2 times in a row, gave up: .*was destroyed/),
        });
        await until(() => engine.isOpen);
        expectOnce(await eventsOf(engine.submit(asked)));
        expect(losses.map(({ inARow }) => inARow)).toEqual([1, 2]);
      },
      { mostLosses: 3, onLost },
    );
  });
});

describe('it gives up, loudly and for good,', () => {
  test('when no other can be opened', async () => {
    const losses: Loss[] = [];
    const opener = new Opener(tinyFolder());
    const broken = new Error('no driver any more');
    const open = () => (opener.devices.length > 0 ? Promise.reject(broken) : opener.model());
    const onLost = (loss: Loss): void => void losses.push(loss);
    const engine = await createLastingEngine(open, { ...OPTIONS, mostLosses: 3, onLost });
    const running = eventsOf(engine.submit({ ...asked, gridEvery: 1 }));
    opener.lose();
    const given = {
      name: 'DeviceError',
      problem: 'lost',
      message: 'the GPU device was lost 3 times in a row, gave up: no driver any more',
      cause: broken,
    };
    await expect(running).rejects.toMatchObject(given);
    await expect(eventsOf(engine.submit(asked))).rejects.toMatchObject(given);
    expect(engine.ended).toMatchObject(given);
    expect([engine.jobs, engine.isOpen, opener.open]).toEqual([0, false, 0]);
    expect(losses.map(({ inARow }) => inARow)).toEqual([1, 2, 3]);
    expect(losses[0]!.error).toMatchObject({ problem: 'lost' });
    await engine.idle();
  });

  test('when each device is lost while it is opened', async () => {
    const opener = new Opener(tinyFolder());
    const open = async () => {
      const opened = await opener.model();
      if (opener.devices.length > 1) opener.lose();
      return opened;
    };
    const engine = await createLastingEngine(open, { ...OPTIONS, mostLosses: 3 });
    const running = eventsOf(engine.submit(asked));
    opener.lose();
    await expect(running).rejects.toThrow(/lost 3 times in a row, gave up: .*was destroyed/);
    expect([opener.devices.length, opener.open]).toEqual([3, 0]);
  });

  test('when what was opened makes other images', async () => {
    const opener = new Opener(tinyFolder());
    const other = new Opener(tinyFolder({ change: (_, values) => void values.fill(0.5) }));
    const open = () => (opener.devices.length > 0 ? other.model() : opener.model());
    const ends: Error[] = [];
    const onEnded = (error: Error): void => void ends.push(error);
    const engine = await createLastingEngine(open, { ...OPTIONS, onEnded });
    const running = eventsOf(engine.submit(asked));
    opener.lose();
    await expect(running).rejects.toThrow(/makes other images \(model\): was ".*", is ".*"/);
    engine.destroy();
    expect(ends).toEqual([engine.ended]);
    expect([opener.open, other.open]).toEqual([0, 0]);
  });

  test('when nothing could be opened to begin with', async () => {
    const opener = new Opener(tinyFolder());
    const broken = new Error('no driver');
    await expect(createLastingEngine(() => Promise.reject(broken))).rejects.toBe(broken);
    const wrong = async () => ({ ...(await opener.model()), model: Object({}) });
    await expect(createLastingEngine(wrong)).rejects.toThrow(/open: model" expected a model/);
    const lost = async () => {
      const opened = await opener.model();
      opener.lose();
      return opened;
    };
    await expect(createLastingEngine(lost, OPTIONS)).rejects.toMatchObject({ problem: 'lost' });
    expect(opener.open).toBe(0);
  });
});

test('destroying it closes what is open, and what is being opened', async () => {
  const opener = new Opener(tinyFolder());
  const engine = await createLastingEngine(opener.model, OPTIONS);
  const running = eventsOf(engine.submit({ ...asked, gridEvery: 1 }));
  opener.lose();
  await until(() => !engine.isOpen);
  engine.destroy();
  const destroyed = {
    problem: 'destroyed',
    message: expect.stringMatching(/engine was destroyed/),
  };
  await expect(running).rejects.toMatchObject(destroyed);
  await expect(eventsOf(engine.submit(asked))).rejects.toMatchObject(destroyed);
  await expect(engine.prepare(1)).rejects.toMatchObject(destroyed);
  await until(() => opener.devices.length === 2 && opener.open === 0);
});

test('options that cannot be are refused', async () => {
  const opener = new Opener(tinyFolder());
  const refused = (options: object) => createLastingEngine(opener.model, options);
  await expect(refused({ mostLosses: 0 })).rejects.toThrow(/"mostLosses" .* from 1 .* got 0/);
  await expect(refused({ pause: 1 })).rejects.toThrow(/no option "pause": did you mean "pauseMs"/);
  await expect(createLastingEngine(Object({}))).rejects.toThrow(/"open" expected a function/);
  expect(opener.devices).toHaveLength(0);
});
