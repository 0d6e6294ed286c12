import { expect, test } from 'vitest';
import type { EngineLoad } from '../../src/engine/engine-types.ts';
import { Job } from '../../src/engine/job.ts';
import type { CheckedRequest } from '../../src/engine/request.ts';
import { checkRoom, WaitingLine } from '../../src/engine/waiting-line.ts';
import { BusyError } from '../../src/errors.ts';

const job = (index: number, { priority = 0, guided = false } = {}): Job =>
  new Job({ sampling: { given: 0 }, guided } as CheckedRequest, index, { priority });

test('the highest priority is next, and of equal ones the first that came', () => {
  const line = new WaitingLine();
  const ahead = [0, 0, 5, -1, 5, 0, 7].map((priority, i) => line.add(job(i, { priority })));
  expect(ahead).toEqual([0, 1, 0, 3, 1, 4, 0]);
  const order: number[] = [];
  for (let first = line.first; first; first = line.first) {
    order.push(first.index);
    line.shift();
  }
  expect(order).toEqual([6, 2, 4, 0, 1, 5, 3]);
});

test('those that fit in free slots are the first ones: none overtakes another', () => {
  const line = new WaitingLine();
  for (const [i, guided] of [true, false, true, false].entries()) line.add(job(i, { guided }));
  expect([0, 1, 2, 3, 4, 5, 6, 9].map((free) => line.fitting(free))).toEqual(
    [0, 0, 1, 2, 2, 3, 4, 4].map((jobs) => ({ jobs, slots: [0, 2, 3, 5, 6][jobs] })),
  );
});

test('who has left is taken out', () => {
  const line = new WaitingLine();
  const [first, second] = [job(0), job(1)];
  line.add(first);
  line.add(second);
  first.fail(new Error('enough'));
  line.dropGone();
  expect([line.size, line.first]).toEqual([1, second]);
});

test('there is room for what begins at once, and for so many that wait', () => {
  const room = (waiting: number, slotsInUse: number, guided: boolean, most: number) => () =>
    checkRoom({ waiting, slots: 4, slotsInUse } as EngineLoad, { guided }, most);
  for (const begins of [room(0, 3, false, 0), room(0, 2, true, 0), room(2, 4, true, 3)])
    expect(begins).not.toThrow();
  for (const waits of [room(0, 3, true, 0), room(1, 0, false, 1), room(3, 4, false, 3)])
    expect(waits).toThrow(BusyError);
  expect(room(3, 4, false, 3)).toThrow('3 requests wait for the engine, and no more than 3 may');
});
