/** Programs that captions need are built beside those that draw, and fail nobody else. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  createEngine,
  DeviceError,
  type Engine,
  type EngineEvent,
  type ImageRequest,
  loadModel,
  type Model,
} from '../../src/index.ts';
import { anyCaption } from '../support/captions.ts';
import { testDevice } from '../support/device.ts';
import { goldenFolder } from '../support/golden-model.ts';

let model: Model;
let engine: Engine;
/** What a program waits for before it is built. */
let mayBuild: () => Promise<void>;
beforeEach(async () => {
  model = await loadModel(await testDevice(), await goldenFolder('t2i_tiny'));
  engine = await createEngine(model, { capacity: 8, rows: 8 });
  mayBuild = async () => {};
  const { memory } = model.gpt;
  const checked = memory.checked.bind(memory);
  vi.spyOn(memory, 'checked').mockImplementation(async (what, work) => {
    if (what === 'building the program') await mayBuild();
    return checked(what, work);
  });
});
afterEach(() => {
  engine.destroy();
  model.destroy();
});

/** One whose programs are built first, with a chunk for each token. */
const small: ImageRequest = {
  ...{ caption: anyCaption(3, 1), seed: 1, cfgScale: 1 },
  ...{ pixels: false, window: 1, gridEvery: 1 },
};
/** Together they take passes of more rows. */
const LARGE: readonly ImageRequest[] = [2, 3, 4].map((seed) => {
  return { caption: anyCaption(12, seed), seed, cfgScale: 3, pixels: false, window: 1 };
});

async function tokensOf(
  request: ImageRequest,
  signal?: AbortSignal,
  onEvent: (event: EngineEvent) => void = () => {},
): Promise<readonly number[]> {
  for await (const event of engine.submit(request, { signal })) {
    onEvent(event);
    if (event.type === 'image') return [...event.tokens];
  }
  throw new Error('no image');
}

/** Tokens of the small one, at whose start something else is asked for. */
const tokensBeside = (ask: () => void): Promise<readonly number[]> =>
  tokensOf(small, undefined, ({ type }) => {
    if (type === 'started') ask();
  });

test('those that draw go on to their end, and who leaves meanwhile gives its slots back', async () => {
  const alone = await tokensOf(small);
  let build = (): void => {};
  const built = new Promise<void>((resolve) => {
    build = resolve;
  });
  mayBuild = () => built;
  const stop = new AbortController();
  let large: Promise<PromiseSettledResult<readonly number[]>[]> = Promise.resolve([]);
  const beside = await tokensBeside(() => {
    const [first, ...others] = LARGE;
    const left = tokensOf(first!, stop.signal, ({ type }) => {
      if (type === 'started') stop.abort(new Error('enough'));
    });
    large = Promise.allSettled([left, ...others.map((request) => tokensOf(request))]);
  });
  expect(beside).toEqual(alone);
  expect(engine.load).toMatchObject({ running: 2, slotsInUse: 4 });
  build();
  const [left, ...stayed] = await large;
  expect(left).toMatchObject({ status: 'rejected', reason: { message: 'enough' } });
  for (const [i, settled] of stayed.entries()) {
    expect(settled).toEqual({ status: 'fulfilled', value: await tokensOf(LARGE[1 + i]!) });
  }
});

test('one that cannot be built fails those that need it alone, until it can be', async () => {
  const alone = await tokensOf(small);
  mayBuild = () => Promise.reject(new DeviceError('out-of-memory', 'no room'));
  let large: Promise<PromiseSettledResult<readonly number[]>[]> = Promise.resolve([]);
  const beside = await tokensBeside(() => {
    large = Promise.allSettled(LARGE.map((request) => tokensOf(request)));
  });
  expect(beside).toEqual(alone);
  for (const settled of await large) {
    expect(settled).toMatchObject({ status: 'rejected', reason: { problem: 'out-of-memory' } });
  }
  mayBuild = async () => {};
  const together = await Promise.all(LARGE.map((request) => tokensOf(request)));
  for (const [i, tokens] of together.entries()) expect(tokens).toEqual(await tokensOf(LARGE[i]!));
});

test('what stands for no caption is tried again too', async () => {
  mayBuild = () => Promise.reject(new DeviceError('out-of-memory', 'no room'));
  await expect(tokensOf(small)).rejects.toMatchObject({ problem: 'out-of-memory' });
  mayBuild = async () => {};
  const tokens = await tokensOf(small);
  expect(tokens).toHaveLength(16);
  expect(await tokensOf(small)).toEqual(tokens);
});
