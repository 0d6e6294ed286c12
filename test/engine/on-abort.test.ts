/** One signal may stop many: a class of 32 images, or all requests of a server's shutdown. */
import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { onAbort } from '../../src/engine/on-abort.ts';

test('all who wait are called back, through one listener', () => {
  const stop = new AbortController();
  const called: number[] = [];
  for (let i = 0; i < 32; i++) onAbort(stop.signal, () => called.push(i));
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
  stop.abort();
  expect(called).toEqual(Array.from({ length: 32 }, (_, i) => i));
});

test('who waits no more is not called, and the last one leaves nothing behind', () => {
  const stop = new AbortController();
  const called: string[] = [];
  const first = onAbort(stop.signal, () => called.push('first'));
  const second = onAbort(stop.signal, () => called.push('second'));
  first();
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(1);
  second();
  second();
  expect(getEventListeners(stop.signal, 'abort')).toHaveLength(0);
  onAbort(stop.signal, () => called.push('third'));
  second();
  stop.abort();
  expect(called).toEqual(['third']);
});

test('whoever is called back may stop waiting, and the others are called still', () => {
  const stop = new AbortController();
  const called: string[] = [];
  const first = onAbort(stop.signal, () => {
    first();
    called.push('first');
  });
  onAbort(stop.signal, () => called.push('second'));
  stop.abort();
  expect(called).toEqual(['first', 'second']);
});
