/** A run that is watched makes the same images, and the watcher saw all of it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generate, loadModel, type Model, tokenLoop } from '../../src/index.ts';
import { Profiler } from '../../src/profile.ts';
import { testDevice } from '../support/device.ts';
import { TINY_CLASSES, tinyFolder } from '../support/tiny-model.ts';

const device = await testDevice();

describe.runIf(device.features.has('timestamp-query'))('a profiled run', () => {
  let model: Model;
  beforeAll(async () => {
    model = await loadModel(device, tinyFolder());
  });
  afterAll(() => model.destroy());

  test('makes the same images', async () => {
    const asked = { classes: TINY_CLASSES, seed: 3 };
    const plain = await generate(model, asked);
    const { staging } = model.memory;
    const watched = await generate(model, { ...asked, profiler: await Profiler.open(device) });
    expect(watched.images).toEqual(plain.images);
    expect(model.memory.staging).toBe(staging);
  });

  test('is seen whole', async () => {
    const profiler = await Profiler.open(device);
    const steps = model.config.gpt.blockSize;
    const { runs } = await generate(model, { classes: [0, 1, 2], seed: 3, batch: 2, profiler });
    const [step, decode] = profiler.programs;
    expect(step).toMatchObject({ name: 'token step', runs: 8 });
    expect(decode).toMatchObject({ name: 'image decode', runs: 1 });
    expect(runs).toHaveLength(2);
    for (const { device: times, chunks, ms } of runs) {
      expect(chunks).toBeGreaterThanOrEqual(4);
      expect(times?.ms).toBeGreaterThan(0);
      expect(times?.ms).toBeLessThan(ms);
      expect(times?.idleMs).toBeLessThan(times?.ms ?? 0);
    }
    const events: readonly { name: string; ph: string; tid: number }[] = JSON.parse(
      profiler.trace(),
    ).traceEvents;
    const named = (tid: number) =>
      new Set(events.filter((e) => e.ph === 'X' && e.tid === tid).map(({ name }) => name));
    for (const name of ['compile', 'encode', 'wait', 'readback', 'decode']) {
      expect(named(1)).toContain(name);
    }
    for (const { label } of [...(step?.kernels ?? []), ...(decode?.kernels ?? [])]) {
      expect(named(2)).toContain(label);
    }
    const chunked = events.filter((e) => /^\d+ steps?$/.test(e.name));
    const inChunks = chunked.reduce((n, { name }) => n + Number.parseInt(name, 10), 0);
    expect(inChunks).toBe(2 * (steps - 4));
  });

  test('a timed run says how long the device worked, and costs nothing after it', async () => {
    const { staging } = model.memory;
    const loop = await tokenLoop(model.gpt, { sequences: 1, guided: false });
    const stats = await loop.run(8, { timed: true, chunk: 4 });
    expect(stats).toMatchObject({ steps: 8, chunks: 2 });
    expect(stats.encodeMs).toBeLessThan(stats.ms);
    expect(stats.device?.ms).toBeGreaterThan(0);
    expect((await loop.run(4)).device).toBeUndefined();
    expect(model.memory.staging).toBe(staging);
    loop.destroy();
  });
});
