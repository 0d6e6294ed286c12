/** How many slots an engine has where nobody says. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fittingSlots } from '../../src/engine/capacity.ts';
import { createEngine, loadModel, type Model } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { fullDevice } from '../support/full-device.ts';
import { tinyFolder } from '../support/tiny-model.ts';

test.each([
  ['those that there is a use for', {}, 64],
  ['what there is memory for', { bytes: 1050 }, 10],
  ['an even number', { bytes: 1150 }, 10],
  ['what one buffer holds', { bindingBytes: 75 }, 6],
  ['one where there is room for one', { bytes: 150 }, 1],
  ['one at least, which is refused where it is made', { bytes: 10 }, 1],
])('%s', (_, room, slots) => {
  const plenty = { bytesASlot: 100, largestASlot: 12, bytes: 1e6, bindingBytes: 1e6, most: 64 };
  expect(fittingSlots({ ...plenty, ...room })).toBe(slots);
});

describe('an engine', () => {
  let device: GPUDevice;
  let model: Model;
  beforeAll(async () => {
    device = await testDevice();
    model = await loadModel(device, tinyFolder());
  });
  afterAll(() => model.destroy());

  /** One slot's keys and values of three layers: 17 positions of 64 floats. */
  const slot = 3 * 2 * 17 * 64 * 4;
  const bytes = (of: Model): number => Object.values(of.memory).reduce((a, b) => a + b, 0);

  test('on a software adapter has 32 slots', async () => {
    const engine = await createEngine(model);
    expect(engine.capacity).toBe(32);
    engine.destroy();
  });

  test('has no more than the memory that it may take holds, and draws within that', async () => {
    await expect(createEngine(model, { memoryBytes: 1000 })).rejects.toThrow(
      /"memoryBytes" expected at least \d+ for tiny with two slots, got 1000/,
    );
    const before = bytes(model);
    const memoryBytes = before + 1.2e6;
    const engine = await createEngine(model, { memoryBytes, rows: 4 });
    expect(engine.capacity).toBe(18);
    for await (const _ of engine.submit({ classIndex: 1, pixels: false })) {
      expect(bytes(model)).toBeLessThanOrEqual(memoryBytes);
    }
    engine.destroy();
  });

  test('has half as many again and again where there is no memory, and keeps nothing of what it tried', async () => {
    const full = await loadModel(fullDevice(device, 9 * slot, /kv$/), tinyFolder());
    const before = full.memory;
    const engine = await createEngine(full);
    expect(engine.capacity).toBe(8);
    engine.destroy();
    expect(full.memory).toEqual(before);
    full.destroy();
    // Not even two.
    const fuller = await loadModel(fullDevice(device, slot, /kv$/), tinyFolder());
    await expect(createEngine(fuller)).rejects.toMatchObject({ problem: 'out-of-memory' });
    expect(fuller.memory).toEqual(before);
    fuller.destroy();
    // Nor for what passes take besides.
    const spare = await loadModel(fullDevice(device, 100, /^room$/), tinyFolder());
    await expect(createEngine(spare)).rejects.toMatchObject({ problem: 'out-of-memory' });
    expect(spare.memory).toEqual(before);
    spare.destroy();
  });

  test('has two slots where half of six would be three, of which guided requests leave one', async () => {
    const few = await loadModel(fullDevice(device, 2 * slot, /kv$/), tinyFolder());
    const refused: unknown = await createEngine(few, { memoryBytes: 1, rows: 4 }).catch((e) => e);
    const two = Number(/at least (\d+)/.exec(String(refused))?.[1]);
    const engine = await createEngine(few, { memoryBytes: two + 4.5 * slot, rows: 4 });
    expect(engine.capacity).toBe(2);
    engine.destroy();
    few.destroy();
  });

  test('of a capacity that cannot be is refused', async () => {
    await expect(createEngine(model, { capacity: Object('all') })).rejects.toThrow(
      /"capacity" expected an integer from 1 to \d+ or "auto"/,
    );
  });
});
