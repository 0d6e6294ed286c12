/** Many requests on one engine: who comes first, who is refused, what is told of it, and that none holds up the others. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BusyError,
  createEngine,
  type Engine,
  type EngineEvent,
  type EngineOptions,
  type ImageRequest,
  loadModel,
  type Model,
} from '../../src/index.ts';
import { anyCaption } from '../support/captions.ts';
import { testDevice } from '../support/device.ts';
import { goldenFolder } from '../support/golden-model.ts';
import { tinyFolder } from '../support/tiny-model.ts';

/** Tokens of a grid. */
const TOTAL = 16;

let device: GPUDevice;
let model: Model;
beforeAll(async () => {
  device = await testDevice();
  model = await loadModel(device, tinyFolder());
});
afterAll(() => model.destroy());

async function withEngine(
  options: EngineOptions,
  use: (engine: Engine) => Promise<void>,
  of: Model = model,
): Promise<void> {
  const engine = await createEngine(of, { rows: 8, ...options });
  try {
    await use(engine);
  } finally {
    engine.destroy();
  }
}

async function tokensOf(
  events: AsyncIterable<EngineEvent>,
  onEvent: (event: EngineEvent) => void = () => {},
): Promise<string> {
  let tokens = 'nothing';
  for await (const event of events) {
    onEvent(event);
    if (event.type === 'image') tokens = String(event.tokens);
  }
  return tokens;
}

const asked: ImageRequest = { classIndex: 0, pixels: false, window: 1, cfgScale: 1 };
const guided: ImageRequest = { ...asked, cfgScale: 3 };

test('requests of higher priority begin before those that wait', () =>
  withEngine({ capacity: 1 }, async (engine) => {
    const started: number[] = [];
    const ahead: number[] = [];
    const all = [0, 0, 9, -9, 9].map((priority, i) =>
      tokensOf(engine.submit({ ...asked, seed: i }, { priority }), (event) => {
        if (event.type === 'queued') ahead[i] = event.ahead;
        if (event.type === 'started') started.push(i);
      }),
    );
    await Promise.all(all);
    expect(ahead).toEqual([0, 1, 0, 3, 1]);
    expect(started).toEqual([2, 4, 0, 1, 3]);
  }));

test('no more wait than may; those that find slots do not wait', () =>
  withEngine({ capacity: 3, mostWaiting: 2 }, async (engine) => {
    const all = [guided, asked, asked, guided].map((request) => tokensOf(engine.submit(request)));
    expect(engine.load).toMatchObject({ waiting: 2, running: 2, slots: 3, slotsInUse: 3 });
    expect(() => engine.submit(asked)).toThrow(BusyError);
    expect(() => engine.submit(asked)).toThrow(/^2 requests wait .* no more than 2 may/);
    // What can never be met is the greater fault.
    expect(() => engine.submit({ classIndex: 99 })).toThrow(/"classIndex"/);
    await Promise.all(all);
    expect(await tokensOf(engine.submit(asked))).not.toBe('nothing');
  }));

test('its load and what it has done are told', () =>
  withEngine({ capacity: 4, aheadMs: 1 }, async (engine) => {
    const idle = { waiting: 0, running: 0, finishing: 0, slots: 4, slotsInUse: 0 };
    expect(engine.load).toEqual({ ...idle, rows: 0, rowsInUse: 0 });
    await engine.prepare(4);
    const loads: Engine['load'][] = [];
    const see = (event: EngineEvent): void => {
      if (event.type === 'tokens' && event.done === 5) loads.push(engine.load);
    };
    const grids = { gridEvery: 1 };
    const all = [
      tokensOf(engine.submit({ ...guided, ...grids, prefix: [1, 2, 3] }), see),
      tokensOf(engine.submit({ ...asked, ...grids })),
    ];
    await Promise.all(all);
    await engine.idle();
    expect(loads[0]).toMatchObject({ running: 2, slotsInUse: 3, rows: 4 });
    expect(loads[0]?.rowsInUse).toBeGreaterThanOrEqual(3);
    expect(engine.load).toEqual({ ...idle, rows: 0, rowsInUse: 0 });
    const { steps, rowsComputed, rowsFull, tokens, images, scheduleMs } = engine.stats;
    expect([tokens, images]).toEqual([2 * TOTAL - 3, 2]);
    expect(rowsComputed).toBe(4 * steps);
    expect(rowsFull).toBeGreaterThan(rowsComputed / 2);
    expect(rowsFull).toBeLessThanOrEqual(rowsComputed);
    expect(scheduleMs).toBeGreaterThan(0);
  }));

test('whoever runs goes on while a program for more of them is built', async () => {
  // Long enough that the program is asked for while the image is drawn, however busy the machine is.
  const long = await loadModel(device, tinyFolder({ gpt: { block_size: 400 } }));
  const use = async (engine: Engine): Promise<void> => {
    await engine.prepare(1);
    const alone = await tokensOf(engine.submit(asked));
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const compile = device.createComputePipelineAsync.bind(device);
    let waiting = 0;
    Object.defineProperty(device, 'createComputePipelineAsync', {
      configurable: true,
      value: async (descriptor: GPUComputePipelineDescriptor) => {
        waiting++;
        await released;
        return compile(descriptor);
      },
    });
    try {
      const first = tokensOf(engine.submit(asked));
      const others = [1, 2].map((seed) => tokensOf(engine.submit({ ...asked, seed })));
      expect(await first).toBe(alone);
      expect(waiting).toBeGreaterThan(0);
      release();
      expect(await Promise.all(others)).not.toContain('nothing');
    } finally {
      Reflect.deleteProperty(device, 'createComputePipelineAsync');
    }
  };
  // So many slots as no other test has: texts that no other has compiled.
  await withEngine({ capacity: 13 }, use, long).finally(() => long.destroy());
});

describe('captions', () => {
  let text: Model;
  beforeAll(async () => {
    text = await loadModel(device, await goldenFolder('t2i_tiny'));
  });
  afterAll(() => text.destroy());

  test('are put into their slots between the passes of those that draw', () =>
    withEngine(
      { capacity: 16 },
      async (engine) => {
        const { classIndex: _, ...settings } = asked;
        const request = (seed: number): ImageRequest => {
          return { ...settings, seed, caption: anyCaption(12, seed), gridEvery: 1 };
        };
        // All programs are there.
        await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((i) => tokensOf(engine.submit(request(i)))));
        const alone = await tokensOf(engine.submit(request(0)));
        // 77 rows to fill are at least three passes.
        let drawn = 0;
        const drawnAt: number[] = [];
        const others: Promise<string>[] = [];
        const first = await tokensOf(engine.submit(request(0)), (event) => {
          if (event.type !== 'tokens') return;
          drawn = event.done;
          if (event.done !== 4 || others.length > 0) return;
          for (let i = 1; i < 8; i++) {
            const see = ({ type }: EngineEvent): void => {
              if (type === 'started' || type === 'tokens') drawnAt.push(drawn);
            };
            others.push(tokensOf(engine.submit(request(i)), see));
          }
        });
        expect(first).toBe(alone);
        expect(await Promise.all(others)).not.toContain('nothing');
        const begun = Math.min(...drawnAt);
        const drawing = drawnAt.filter((at) => at > begun);
        expect(Math.min(...drawing)).toBeGreaterThan(begun);
      },
      text,
    ));
});
