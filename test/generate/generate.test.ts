/** What `generate` promises. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  decodeTokens,
  type GenerateResult,
  generate,
  loadModel,
  type Model,
  OptionError,
  type Progress,
  tokenLoop,
} from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { defaultModelFolder, openFolder } from '../../src/node/files.ts';
import { testDevice, testKernels } from '../support/device.ts';
import { few } from '../support/few.ts';
import { tinyFolder } from '../support/tiny-model.ts';

let shipped: Model;
let tiny: Model;
beforeAll(async () => {
  const device = await testDevice();
  const kernels = await testKernels();
  shipped = await loadModel(device, openFolder(defaultModelFolder()), kernels);
  tiny = await loadModel(device, tinyFolder(), kernels);
});
afterAll(() => {
  shipped.destroy();
  tiny.destroy();
});

const ORANGE = 20;
const PEAR = 22;
const hex = (pixels: ArrayLike<number>): string => Buffer.from(Array.from(pixels)).toString('hex');

/** Both have these classes. */
const [A, B, C, D] = [2, 1, 0, 3] as const;

// The shipped model takes ten times as long.
describe.each(few(1, ['shipped', 'tiny'] as const))('one seed, one image: %s model', (name) => {
  let model: Model;
  beforeAll(() => {
    model = name === 'tiny' ? tiny : shipped;
  });

  test('alone, in a batch of 4 at every place, and split over batches: bit for bit', async () => {
    const classes = [A, B, C, D];
    const together = await generate(model, { classes, seed: 100 });
    const split = await generate(model, { classes, seed: 100, batch: 3 });
    for (const [i, image] of together.images.entries()) {
      const alone = await generate(model, { classes: [classes[i]!], seed: 100 + i });
      expect(image.seed).toBe(100 + i);
      expect([...alone.images[0]!.tokens]).toEqual([...image.tokens]);
      expect(hex(alone.images[0]!.rgba)).toBe(hex(image.rgba));
      expect([...split.images[i]!.tokens]).toEqual([...image.tokens]);
    }
  });

  test('in a batch of 16, in the first and the last place', async () => {
    const steps = Math.min(24, model.config.gpt.blockSize);
    const loop = await tokenLoop(model.gpt, { sequences: 16, guided: true });
    const single = await tokenLoop(model.gpt, { sequences: 1, guided: true });
    const how = { cfgScale: 2, cfgInterval: -1, temperature: 1, topK: 100, topP: 0.95 };
    const sequence = (i: number) => ({
      ...{ ...how, greedy: false, given: 0 },
      seed: 7 + (i % 15),
      label: (i % 15) % model.config.gpt.numClasses,
    });
    loop.start(Array.from({ length: 16 }, (_, i) => sequence(i)));
    await loop.run(steps);
    const all = await loop.readTokens();
    single.start([sequence(0)]);
    await single.run(steps);
    const alone = [...(await single.readTokens())].slice(0, steps);
    expect([...all.slice(0, steps)]).toEqual(alone);
    const last = 15 * model.config.gpt.blockSize;
    expect([...all.slice(last, last + steps)]).toEqual(alone);
    loop.destroy();
    single.destroy();
  });

  test('in chunks of any length', async () => {
    const loop = await tokenLoop(model.gpt, { sequences: 1, guided: true });
    const grids: number[][] = [];
    for (const chunk of [1, 7, 64]) {
      loop.start([
        {
          ...{ label: A, seed: 3, cfgScale: 2, cfgInterval: 10, temperature: 1 },
          ...{ topK: 0, topP: 1, greedy: false, given: 0 },
        },
      ]);
      await loop.run(model.config.gpt.blockSize, { chunk });
      grids.push([...(await loop.readTokens())]);
    }
    expect(grids[1]).toEqual(grids[0]);
    expect(grids[2]).toEqual(grids[0]);
    loop.destroy();
  });

  test('asked for side by side, in one batch shape and in two', async () => {
    const ask = (classes: number[], seed: number) => generate(model, { classes, seed });
    const [a, b, c] = await Promise.all([ask([A], 8), ask([B], 9), ask([A, D], 8)]);
    const tokens = (result: GenerateResult) => result.images.map((image) => [...image.tokens]);
    expect(tokens(b)).toEqual(tokens(await ask([B], 9)));
    expect(tokens(a)[0]).toEqual(tokens(c)[0]);
  });

  test('another seed gives another image, greedy ignores the seed', async () => {
    const [a, b] = (await generate(model, { classes: [A, A], seed: 1 })).images;
    expect([...a!.tokens]).not.toEqual([...b!.tokens]);
    const greedy = (await generate(model, { classes: [A, A], greedy: true })).images;
    expect([...greedy[0]!.tokens]).toEqual([...greedy[1]!.tokens]);
  });
});

test('an image of the shipped model is the same alone and in a batch: bit for bit', async () => {
  const [alone] = (await generate(shipped, { classes: [ORANGE], seed: 101 })).images;
  const [, image] = (await generate(shipped, { classes: [PEAR, ORANGE], seed: 100 })).images;
  expect([...image!.tokens]).toEqual([...alone!.tokens]);
  expect(hex(image!.rgba)).toBe(hex(alone!.rgba));
});

describe('results', () => {
  test('have tokens in the codebook, pixels that vary, and can be decoded again', async () => {
    const { images } = await generate(shipped, { classes: [ORANGE], seed: 5, cfgScale: 1 });
    const [image] = images;
    const { tokens, rgba, width, height } = image!;
    expect([width, height, rgba.length]).toEqual([96, 96, 96 * 96 * 4]);
    expect(tokens.every((t) => t < 1024)).toBe(true);
    const [red, blue] = [0, 2].map((c) => rgba.filter((_, i) => i % 4 === c));
    expect(new Set(red).size).toBeGreaterThan(50);
    // An orange on white: much more red than blue in the middle of the picture.
    const middle = 48 * 96 + 48;
    expect(red![middle]! - blue![middle]!).toBeGreaterThan(60);
    const [again] = await decodeTokens(shipped, [tokens]);
    expect(hex(again!.rgba)).toBe(hex(rgba));
  });

  test('progress counts every phase to its end', async () => {
    const seen: Progress[] = [];
    await generate(tiny, { classes: [1, 2], onProgress: (p) => seen.push(p) });
    for (const [phase, total] of [
      ['compile', 2],
      ['tokens', 32],
      ['decode', 2],
    ] as const) {
      const done = seen.filter((p) => p.phase === phase).map((p) => p.done);
      expect(done[0]).toBe(0);
      expect(done.at(-1)).toBe(total);
      expect(done).toEqual([...done].sort((a, b) => a - b));
    }
  });
});

describe('bad options', () => {
  test.each<[string, object, RegExp]>([
    ['no class', { classes: [] }, /at least one class/],
    ['class 32', { classes: [32] }, /"class" expected an integer from 0 to 31, got 32/],
    ['class 1.5', { classes: [1.5] }, /got 1.5/],
    ['seed -1', { classes: [1], seed: -1 }, /"seed"/],
    ['a seed that would pass 2^53', { classes: [1, 1], seed: 2 ** 53 - 1 }, /"seed"/],
    ['cfgScale NaN', { classes: [1], cfgScale: Number.NaN }, /"cfgScale".*got NaN/],
    ['temperature -1', { classes: [1], temperature: -1 }, /"temperature"/],
    ['topK 1.5', { classes: [1], topK: 1.5 }, /"topK"/],
    ['topP 2', { classes: [1], topP: 2 }, /"topP" expected a number from 0 to 1, got 2/],
    ['cfgInterval -2', { classes: [1], cfgInterval: -2 }, /"cfgInterval"/],
    ['batch 0', { classes: [1], batch: 0 }, /"batch"/],
  ])('%s', async (_, options, message) => {
    const asked = generate(shipped, options as { classes: number[] });
    await expect(asked).rejects.toThrow(OptionError);
    await expect(asked).rejects.toThrow(message);
  });

  test('tokens outside the codebook, or too few', async () => {
    const grid = new Array(144).fill(0);
    await expect(decodeTokens(shipped, [grid.with(9, 1024)])).rejects.toThrow(
      /token 9 is 1024.*0 \.\. 1023/,
    );
    await expect(decodeTokens(shipped, [grid.slice(1)])).rejects.toThrow(/144 tokens, got 143/);
  });
});

describe('stopping', () => {
  test('an aborted signal stops the loop with its reason', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let steps = 0;
    const running = generate(shipped, {
      classes: [1],
      signal: controller.signal,
      onProgress: ({ phase, done }) => {
        if (phase !== 'tokens') return;
        steps = done;
        if (done > 0) controller.abort(reason);
      },
    });
    await expect(running).rejects.toBe(reason);
    expect(steps).toBeLessThan(144);
  });

  test('a lost device is a typed error, during a run and after', async () => {
    const opened = await openDevice();
    const doomed = await loadModel(opened.device, tinyFolder());
    const running = generate(doomed, {
      classes: [1],
      onProgress: ({ phase, done }) => {
        if (phase === 'tokens' && done > 0) opened.device.destroy();
      },
    });
    await expect(running).rejects.toMatchObject({ name: 'DeviceError', problem: 'lost' });
    await expect(generate(doomed, { classes: [1] })).rejects.toMatchObject({ problem: 'lost' });
    opened.close();
  });
});
