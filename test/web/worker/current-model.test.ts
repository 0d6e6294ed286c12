/** Which model a worker has when several are asked for, and when there is no room for two. */
import { expect, test } from 'vitest';
import { DeviceError } from '../../../src/errors.ts';
import { CurrentModel } from '../../../src/web/worker/current-model.ts';
import type { DrawingModel } from '../../../src/web/worker/drawing-model.ts';

/** A model that only knows whether it was closed. */
function model(): DrawingModel & { closed: boolean } {
  const made = {
    view: {} as never,
    draw: async () => {},
    closed: false,
    close: () => {
      made.closed = true;
    },
  };
  return made;
}

const full = (): Promise<never> =>
  Promise.reject(new DeviceError('out-of-memory', 'there is no room for it'));

test('where there is no room for two, the one before goes, and whoever asked is told', async () => {
  const current = new CurrentModel();
  const [before, next] = [model(), model()];
  await current.replace(async () => before);
  let closed = 0;
  const onClosed = (): void => {
    closed++;
  };
  const open = (): Promise<DrawingModel> => (before.closed ? Promise.resolve(next) : full());
  await current.replace(open, { onClosed });
  expect([closed, current.get()]).toEqual([1, next]);
  await expect(current.replace(full, { onClosed })).rejects.toThrow('no room');
  expect([closed, next.closed]).toEqual([2, true]);
  expect(() => current.get()).toThrow('there is no model yet');
});

test('a load that was overtaken closes no model but its own', async () => {
  const current = new CurrentModel();
  await current.replace(async () => model());
  let [finish, fail] = [(_: DrawingModel): void => {}, (_: Error): void => {}];
  const failing = new Promise<DrawingModel>((_, reject) => {
    fail = reject;
  });
  const slow = new Promise<DrawingModel>((resolve) => {
    finish = resolve;
  });
  const overtaken = Promise.allSettled([
    current.replace(() => failing),
    current.replace(() => slow),
  ]);
  const [newest, late] = [model(), model()];
  await current.replace(async () => newest);
  finish(late);
  fail(new DeviceError('out-of-memory', 'there is no room for it'));
  const reasons = (await overtaken).map((load) => load.status === 'rejected' && `${load.reason}`);
  expect(reasons).toEqual(Array(2).fill(expect.stringContaining('another model was asked for')));
  expect([current.get(), newest.closed, late.closed]).toEqual([newest, false, true]);
});

test('a load that was aborted leaves the model before, also where there was no room', async () => {
  const current = new CurrentModel();
  const [before, late] = [model(), model()];
  await current.replace(async () => before);
  const controller = new AbortController();
  const { signal } = controller;
  const opens = [full, async () => late].map((open) => async (): Promise<DrawingModel> => {
    controller.abort(new Error('enough'));
    return open();
  });
  for (const open of opens) {
    await expect(current.replace(open, { signal })).rejects.toThrow('enough');
  }
  expect([current.get(), before.closed, late.closed]).toEqual([before, false, true]);
});
