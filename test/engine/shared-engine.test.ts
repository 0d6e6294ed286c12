/** Calls at once on one model share an engine, which is there as long as one of them uses it. */
import { afterAll, beforeEach, expect, test } from 'vitest';
import { withSharedEngine } from '../../src/engine/shared-engine.ts';
import { generate, loadModel, type Model } from '../../src/index.ts';
import { testDevice } from '../support/device.ts';
import { tinyFolder } from '../support/tiny-model.ts';
import { until } from '../support/until.ts';

const opened: Model[] = [];
let model: Model;
beforeEach(async () => {
  model = await loadModel(await testDevice(), tinyFolder());
  opened.push(model);
});
afterAll(() => {
  for (const each of opened) each.destroy();
});

test('one that wants a larger engine at the same moment does not take that of the other', async () => {
  const images = (count: number) =>
    generate(model, { classes: Array.from({ length: count }, () => 1), seed: 1 });
  const [alone] = (await images(1)).images;
  // The engine is idle now, and has two slots.
  const [one, three] = await Promise.all([images(1), images(3)]);
  expect(one.images).toEqual([alone]);
  expect(three.images[0]).toEqual(alone);
});

test('one whose requests do not fit is served, whatever comes later', async () => {
  const capacities = new Map<string, number>();
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const call = (who: string, slots: number) =>
    withSharedEngine(model, { capacity: slots, least: slots }, async ({ capacity }) => {
      capacities.set(who, capacity);
      if (who === 'first') await opened;
    });
  const all = [call('first', 1), call('guided', 2), call('later', 1)];
  await until(() => capacities.has('first'));
  // It would have fitted into the engine that there is, and kept the other waiting.
  expect(capacities.has('later')).toBe(false);
  open();
  await Promise.all(all);
  expect(Object.fromEntries(capacities)).toEqual({ first: 1, guided: 2, later: 2 });
});
