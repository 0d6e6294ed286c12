/** What a worker draws, over a port of Node and this machine's adapter: as `generate` does. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DeviceError } from '../../../src/errors.ts';
import {
  encodePictures,
  generate,
  generateFromPrompts,
  loadModel,
  loadTextModel,
  memorySource,
} from '../../../src/index.ts';
import { openDevice } from '../../../src/node/device.ts';
import { estimateSource, type ModelStore, openUrl } from '../../../src/web/index.ts';
import {
  connectWorker,
  type DrawEvent,
  type DrawRequest,
  serveWorker,
  type WorkerClient,
  type WorkerDevice,
} from '../../../src/web/worker/index.ts';
import { testDevice } from '../../support/device.ts';
import { fullDevice } from '../../support/full-device.ts';
import { tinyFiles } from '../../support/tiny-model.ts';
import { tinyTextFiles, tinyTextFolder } from '../../support/tiny-text-model.ts';
import { type FileServer, serveFiles } from '../server.ts';

const CLASSES = tinyFiles({ encoder: true });
const classFiles = {
  name: 'tiny',
  open: async (file: string) => memorySource(file, CLASSES[file]!),
};
const below = (folder: string, files: Record<string, Uint8Array>) =>
  Object.fromEntries(Object.entries(files).map(([file, bytes]) => [`${folder}/${file}`, bytes]));

/** Node has no place for files that pages keep. */
const noStore: ModelStore = {
  kind: 'memory',
  open: async (source) => openUrl((source as { url: string }).url),
  estimate: (source) => estimateSource(source),
  list: async () => [],
  remove: async () => {},
  usage: async () => ({ models: 0 }),
};

let server: FileServer;
let client: WorkerClient;

beforeAll(async () => {
  server = await serveFiles('/', {
    ...below('/tiny', CLASSES),
    ...below('/texts', tinyTextFiles()),
    ...below('/no-encoder', tinyFiles()),
  });
  client = await connect(() => openDevice({ tuned: false }));
});
afterAll(async () => {
  client?.close();
  await server?.close();
});

function connect(openDevice: () => Promise<WorkerDevice>): Promise<WorkerClient> {
  const { port1, port2 } = new MessageChannel();
  serveWorker({ openDevice, openStore: async () => noStore }, port2);
  return connectWorker(port1);
}

const load = (folder: string) => client.load({ url: `${server.url}/${folder}` });

async function draw(request: DrawRequest): Promise<DrawEvent[]> {
  const events: DrawEvent[] = [];
  for await (const event of client.draw(request)) events.push(event);
  return events;
}

const find = <T extends DrawEvent['type']>(events: DrawEvent[], type: T) =>
  events.find((event): event is Extract<DrawEvent, { type: T }> => event.type === type);

test('a picture is completed from its upper rows', async () => {
  const view = await load('tiny');
  expect(view).toMatchObject({ modelType: 'c2i', canComplete: true, imageSize: 8, gridSize: 4 });
  const rgba = Uint8ClampedArray.from({ length: 4 * 8 * 8 }, (_, i) => (i * 37) % 256).fill(
    255,
    4 * 8 * 4,
  );
  const model = await loadModel(await testDevice(), classFiles, { encoder: true });
  const [grid] = await encodePictures(model, [{ width: 8, height: 8, rgba }]);
  const prefix = grid!.tokens.slice(0, 2 * 4);
  const { images } = await generate(model, { classes: [1], seed: 5, prefix });
  model.destroy();

  const from = { width: 8, height: 8, rgba, keepRows: 2 };
  const events = await draw({ classIndex: 1, seed: 5, from });
  expect(find(events, 'loading')).toMatchObject({ part: 'picture encoder' });
  expect(find(events, 'prefix')?.tokens).toEqual(prefix);
  expect(find(events, 'image')?.tokens).toEqual(images[0]!.tokens);
  expect(find(events, 'image')?.picture?.rgba).toEqual(images[0]!.rgba);
});

test.each([
  [
    { from: { width: 1, height: 1, rgba: new Uint8ClampedArray(4), keepRows: 4 } },
    /"keepRows" expected a number from 1 to 3, got 4/,
  ],
  [
    { from: { width: 1, height: 1, rgba: new Uint8ClampedArray(4), keepRows: 1 }, prefix: [1] },
    /"from" or "prefix"/,
  ],
  [
    { from: { width: 2, height: 1, rgba: new Uint8ClampedArray(4), keepRows: 1 } },
    /4 bytes for each of its 2 x 1 pixels, got 4/,
  ],
  [{ prompt: 'a cat' }, /takes no text: give "classIndex", not "prompt"/],
  [{ size: 3 } as DrawRequest, /there is no option "size"/],
])('a class is drawn, and %j is refused', async (request, message) => {
  const failure = await draw({ classIndex: 1, ...request }).catch((error: unknown) => error);
  expect(failure).toMatchObject({ name: 'OptionError', message: expect.stringMatching(message) });
});

test('a model is loaded as precisely as is asked for', async () => {
  const url = `${server.url}/tiny`;
  const fast = await client.load({ url }, { precision: 'fast', dtype: 'f16' });
  expect(fast.precision).toBe('fast');
  expect(fast.fingerprint.text).toMatch(/fast, f16 weights/);
  expect((await client.load({ url })).precision).toBe('exact');
  await expect(client.load({ url }, { dtype: 'f8' as 'f16' })).rejects.toThrow(/"dtype" expected/);
});

test('leaving the loop takes a request out', async () => {
  for await (const { type } of client.draw({ classIndex: 0 })) if (type === 'queued') break;
  expect((await draw({ classIndex: 0 })).at(-1)?.type).toBe('done');
});

test('a model whose tokenizer came without its encoder completes nothing, and draws', async () => {
  expect((await load('no-encoder')).canComplete).toBe(false);
  const from = { width: 8, height: 8, rgba: new Uint8ClampedArray(4 * 64), keepRows: 1 };
  await expect(draw({ classIndex: 1, from })).rejects.toThrow(/came without its encoder/);
  expect((await draw({ classIndex: 1 })).at(-1)?.type).toBe('done');
});

test('prompts are read, and drawn, also when the device is lost', async () => {
  expect(await load('texts')).toMatchObject({ modelType: 't2i', text: { clean: true } });
  const files = tinyTextFolder();
  const device = await testDevice();
  const [text, model] = await Promise.all([loadTextModel(device, files), loadModel(device, files)]);
  const prompts = ['Two lemon', 'a cat on a <b>red</b> ground'];
  const { images } = await generateFromPrompts(model, text, prompts, { greedy: true });
  model.destroy();
  text.destroy();
  const first = await draw({ prompt: prompts[0], greedy: true });
  await client.loseDevice();
  const second = await draw({ prompt: prompts[1], greedy: true });
  const drawn = [first, second];
  for (const events of drawn)
    expect(find(events, 'loading')).toMatchObject({
      part: 'text encoder',
      total: expect.any(Number),
    });
  expect(drawn.map((events) => find(events, 'prompt')?.text)).toEqual([
    'two lemon',
    'a cat on a red ground',
  ]);
  expect(drawn.map((events) => find(events, 'image')?.tokens)).toEqual(
    images.map(({ tokens }) => tokens),
  );
});

test.each([
  [{ prompt: '' }, /the prompt is empty: describe a picture/],
  [{ classIndex: 1 }, /of texts and has no classes/],
  [{}, /"caption" is missing/],
])('%j is no request of a model of texts', async (request, message) => {
  const failure = await draw(request).catch((error: unknown) => error);
  expect(failure).toMatchObject({ name: 'OptionError', message: expect.stringMatching(message) });
});

test('what a model was drawing ends when another takes its place', async () => {
  await load('tiny');
  const seeds = Array.from({ length: 64 }, (_, seed) => seed);
  const drawing = Promise.allSettled(seeds.map((seed) => draw({ classIndex: 0, seed })));
  await load('no-encoder');
  const failures = (await drawing).flatMap((end) =>
    end.status === 'rejected' ? [end.reason] : [],
  );
  expect(failures.length).toBeGreaterThan(0);
  for (const failure of failures)
    expect(failure).toMatchObject({ name: 'DeviceError', problem: 'destroyed' });
});

test('of two models that are asked for, the later one stays', async () => {
  const [first, second] = await Promise.allSettled([load('no-encoder'), load('tiny')]);
  expect(first).toMatchObject({ status: 'rejected', reason: { name: 'AbortError' } });
  expect(second).toMatchObject({ status: 'fulfilled', value: { canComplete: true } });
  expect((await draw({ classIndex: 1 })).at(-1)?.type).toBe('done');
});

test('loading that is aborted leaves the model before', async () => {
  const controller = new AbortController();
  const loading = client.load(
    { url: `${server.url}/texts` },
    { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) },
  );
  await expect(loading).rejects.toThrow('enough');
  expect((await draw({ classIndex: 1 })).at(-1)?.type).toBe('done');
});

test('which model draws is told, and a request that is meant for another is refused', async () => {
  const tiny = await load('tiny');
  expect(await client.model()).toEqual(tiny);
  const { digest: fingerprint } = tiny.fingerprint;
  expect((await draw({ classIndex: 1, fingerprint })).at(-1)?.type).toBe('done');
  await expect(draw({ classIndex: 1, fingerprint: 'another' })).rejects.toMatchObject({
    ...{ name: 'DeviceError', problem: 'destroyed' },
    message: 'the model was replaced by another',
  });
});

test('an engine that gave up is made anew by the next picture for which there is a device', async () => {
  const opened: WorkerDevice[] = [];
  let reopen = (): void => {};
  const reopening = new Promise<void>((resolve) => {
    reopen = resolve;
  });
  const unlucky = await connect(async () => {
    const device = await openDevice({ tuned: false });
    const nth = opened.push(device);
    if (nth === 1) return device;
    if (nth === 2) await reopening;
    if (nth === 3) throw new DeviceError('no-adapter', 'no adapter for now');
    // Makes other images, which no engine goes on with.
    return { ...device, kernels: { tiles: { product: { columns: 8 } } } };
  });
  const drawn = async (fingerprint?: string): Promise<unknown> => {
    let last: string | undefined;
    for await (const { type } of unlucky.draw({ classIndex: 1, fingerprint })) {
      last = type;
      if (type === 'queued') reopen();
    }
    return last;
  };
  const before = await unlucky.load({ url: `${server.url}/tiny` });
  await unlucky.loseDevice();
  await opened[0]?.device.lost;
  await expect(drawn()).rejects.toThrow(/makes other images/);
  await unlucky.loseDevice();
  await opened[1]?.device.lost;
  await expect(drawn()).rejects.toMatchObject({ problem: 'no-adapter' });
  expect(await drawn()).toBe('done');

  const after = await unlucky.model();
  expect(after).toMatchObject({ name: before.name, source: before.source });
  expect(after?.fingerprint.digest).not.toBe(before.fingerprint.digest);
  await expect(drawn(before.fingerprint.digest)).rejects.toThrow(/replaced by another/);
  unlucky.close();
});

test('a device without room for two models frees the one before', async () => {
  const model = await loadModel(await testDevice(), classFiles);
  const room = 1.5 * model.memory.weights;
  model.destroy();
  const small = await connect(async () => {
    const opened = await openDevice({ tuned: false });
    return { ...opened, device: fullDevice(opened.device, room) };
  });
  await small.load({ url: `${server.url}/tiny` });
  expect(await small.load({ url: `${server.url}/no-encoder` })).toMatchObject({
    canComplete: false,
  });
  small.close();
});

test('kernels are made as the device says', async () => {
  const tuned = await connect(async () => ({
    ...(await openDevice({ tuned: false })),
    kernels: { tiles: { product: { columns: 8 } } },
  }));
  const { fingerprint } = await tuned.load({ url: `${server.url}/tiny` });
  expect(fingerprint.text).toMatch(/, tiles [0-9a-f]{16}$/);
  tuned.close();
});

test('where there is no adapter, it is said why, and another try may go better', async () => {
  let tries = 0;
  const lucky = await connect(async () => {
    if (tries++ === 0) throw new DeviceError('no-adapter', 'no WebGPU: update the browser');
    return openDevice({ tuned: false });
  });
  await expect(lucky.adapter()).rejects.toMatchObject({
    name: 'DeviceError',
    problem: 'no-adapter',
    message: 'no WebGPU: update the browser',
  });
  expect((await lucky.adapter()).maxBufferSize).toBeGreaterThan(2 ** 27);
  lucky.close();
});
