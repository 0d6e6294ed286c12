/** That images cost no memory once they are made, and that tokens cost none while they are made. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { imageDecoder } from '../../src/engine/images.ts';
import { generateSettings } from '../../src/generate/settings.ts';
import {
  estimateMemory,
  generate,
  loadModel,
  type Model,
  type TokenLoop,
  tokenLoop,
} from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { dispatchProblem, stepShape } from '../support/step-shape.ts';
import { TINY_CLASSES, tinyFolder } from '../support/tiny-model.ts';

// On software adapters that share their processor with other tests.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const CLASSES = TINY_CLASSES;
const ROUNDS = 5;

/**
 * The heap goes up and down by 0.3 MB while nothing is kept (Node 20, code that V8 compiles and
 * flushes), resident memory by 10 MB.
 */
const MOST_HEAP_GROWTH = 800_000;
const MOST_RESIDENT_GROWTH = 32_000_000;

/** Bindings begin at multiples of this. */
const OFFSET_ALIGNMENT = 256;

let device: GPUDevice;
let model: Model;
/** Every method that makes something on the device. */
let creators: readonly string[];
let nothing: Readonly<Record<string, number>>;
beforeAll(async () => {
  device = await testDevice();
  const methods = Object.getOwnPropertyNames(GPUDevice.prototype);
  creators = methods.filter((name) => /^create(?!CommandEncoder)/.test(name));
  nothing = Object.fromEntries(creators.map((name) => [name, 0]));
  model = await loadModel(device, tinyFolder());
});
afterAll(() => model.destroy());

const batchOf = (cfgScale: number) =>
  generateSettings(model.config, { classes: CLASSES, cfgScale, seed: 5 });

async function loopOf(cfgScale: number): Promise<TokenLoop> {
  const { sequences, guided } = batchOf(cfgScale);
  return tokenLoop(model.gpt, { sequences: sequences.length, guided });
}

/** Calls of methods of every object of a class while `work` runs. */
async function counted(
  { prototype }: { readonly prototype: object },
  methods: readonly string[],
  work: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const counts = Object.fromEntries(methods.map((method) => [method, 0]));
  const real = Object.fromEntries(
    methods.map((method) => [method, Reflect.get(prototype, method)]),
  );
  for (const method of methods) {
    const counting = function (this: unknown, ...args: unknown[]): unknown {
      counts[method]!++;
      return real[method].apply(this, args);
    };
    Object.assign(prototype, { [method]: counting });
  }
  try {
    await work();
    return counts;
  } finally {
    Object.assign(prototype, real);
  }
}

async function calls<T extends object>(
  type: { readonly prototype: T },
  method: keyof T & string,
  work: () => Promise<unknown>,
): Promise<number> {
  return (await counted(type, [method], work))[method]!;
}

/** What a device was made to create while `work` ran, by the name of the method. */
const created = (work: () => Promise<unknown>): Promise<Record<string, number>> =>
  counted(GPUDevice, creators, work);

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Objects of the device are let go of by finalizers, which run between turns of the event loop. */
async function collectGarbage(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function hostMemory(): Promise<{ heap: number; resident: number }> {
  await collectGarbage();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}

describe.each([
  ['guided', 3],
  ['unguided', 1],
])('a token loop, %s,', (_, cfgScale) => {
  const steps = 16;
  let loop: TokenLoop;
  beforeAll(async () => {
    loop = await loopOf(cfgScale);
    loop.start(batchOf(cfgScale).sequences);
    await loop.run(1);
  });

  test('creates nothing to start again, and nothing per token', async () => {
    const image = async (): Promise<void> => {
      loop.start(batchOf(cfgScale).sequences);
      await loop.run(steps);
    };
    expect(await created(image)).toEqual(nothing);
  });

  test('reads nothing back between tokens', async () => {
    loop.start(batchOf(cfgScale).sequences);
    expect(await calls(GPUBuffer, 'mapAsync', () => loop.run(steps))).toBe(0);
    expect(await calls(GPUBuffer, 'mapAsync', () => loop.readTokens())).toBe(1);
  });

  test('submits once per chunk', async () => {
    loop.start(batchOf(cfgScale).sequences);
    const run = () => loop.run(steps, { chunk: 4 });
    expect(await calls(GPUQueue, 'submit', run)).toBe(steps / 4);
  });

  test('dispatches five times a layer and at most six times more', async () => {
    const { sequences, guided } = batchOf(cfgScale);
    const rows = sequences.length * (guided ? 2 : 1);
    const shape = stepShape(model.config.gpt, { rows, slots: rows }, model.gpt.precision);
    expect(dispatchProblem(shape)).toBeUndefined();
    expect(shape.dispatchesPerLayer).toBe(5);
    expect(loop.program.steps.length).toBe(shape.dispatches);
    loop.start(sequences);
    const run = () => loop.run(steps);
    const dispatched = await calls(GPUComputePassEncoder, 'dispatchWorkgroups', run);
    expect(dispatched).toBe(steps * shape.dispatches);
  });
});

test('the counters see what building a program creates', async () => {
  const build = async () => (await imageDecoder(model.vq, [2, 3])).destroy();
  const first = await created(build);
  for (const name of ['createBuffer', 'createBindGroup', 'createComputePipelineAsync']) {
    expect(first[name], name).toBeGreaterThan(0);
  }
  const second = await created(build);
  expect(second.createShaderModule).toBe(0); // the same text is compiled once
  expect(second.createBuffer).toBe(first.createBuffer);
});

describe(`${ROUNDS * CLASSES.length} images`, () => {
  const rounds = async (): Promise<void> => {
    for (let seed = 0; seed < ROUNDS; seed++) await generate(model, { classes: CLASSES, seed });
  };
  beforeAll(rounds);

  test('create nothing, once those before have', async () => {
    const before = model.memory;
    let made: Record<string, number> = {};
    const destroyed = await calls(GPUBuffer, 'destroy', async () => {
      made = await created(rounds);
    });
    expect(made).toEqual(nothing);
    expect(destroyed).toBe(0);
    expect(model.memory).toEqual(before);
  });

  test('leave no picture behind', async () => {
    const made = async (seed: number): Promise<WeakRef<object>[]> => {
      const { images } = await generate(model, { classes: CLASSES, seed });
      return images.flatMap(({ rgba, tokens }) => [new WeakRef(rgba), new WeakRef(tokens)]);
    };
    const left: WeakRef<object>[] = [];
    for (let seed = 0; seed < ROUNDS; seed++) left.push(...(await made(seed)));
    await collectGarbage();
    expect(left.filter((ref) => ref.deref()).length).toBe(0);
  });

  test('leave the host memory as it was, on and on', async () => {
    const before = await hostMemory();
    for (let i = 0; i < 4; i++) await rounds();
    const after = await hostMemory();
    expect(after.heap - before.heap).toBeLessThan(MOST_HEAP_GROWTH);
    expect(after.resident - before.resident).toBeLessThan(MOST_RESIDENT_GROWTH);
  });
});

describe('memory', () => {
  test('is what the estimate says, weights within their alignment', async () => {
    const fresh = await loadModel(device, tinyFolder());
    const batch = { sequences: 2, guided: true };
    await tokenLoop(fresh.gpt, batch);
    await imageDecoder(fresh.vq, [4, 4]);
    const { weights, ...others } = fresh.memory;
    const estimate = estimateMemory(fresh.config, { rows: 4, slots: 4 }, fresh.gpt.precision);
    const { weights: expected } = estimate;
    expect({ weights: expected, ...others }).toEqual(estimate);
    const tensors = fresh.gpt.weights.size + fresh.vq.weights.size;
    expect(weights).toBeGreaterThanOrEqual(expected);
    expect(weights).toBeLessThan(expected + tensors * OFFSET_ALIGNMENT);
    fresh.destroy();
  });

  test('does not grow with the number of batch shapes', async () => {
    const shapes = async (): Promise<void> => {
      await generate(model, { classes: CLASSES });
      for (const cfgScale of [1, 3]) await generate(model, { classes: [0], cfgScale });
    };
    await shapes();
    const before = model.memory;
    await shapes();
    expect(model.memory).toEqual(before);
  });

  test('is free after destroy, once and twice', async () => {
    const fresh = await loadModel(device, tinyFolder());
    await generate(fresh, { classes: [0, 1] });
    const { weights, state, temp } = fresh.memory;
    expect(Math.min(weights, state, temp)).toBeGreaterThan(0);
    const destroyed = await calls(GPUBuffer, 'destroy', async () => fresh.destroy());
    expect(destroyed).toBeGreaterThan(2);
    for (let times = 1; times <= 2; times++) {
      expect(fresh.memory).toEqual({ weights: 0, state: 0, temp: 0, staging: 0 });
      fresh.destroy();
    }
  });
});
