/** Calls over a channel: streams, answers, errors and aborts, between two ports of Node. */
import { afterEach, expect, test } from 'vitest';
import { DeviceError, DownloadError, OptionError, WeightsError } from '../../../src/errors.ts';
import {
  type Answers,
  answerOver,
  type Caller,
  callOver,
} from '../../../src/web/worker/channel.ts';
import { connectWorker } from '../../../src/web/worker/client.ts';
import { until } from '../../support/until.ts';

const opened: MessagePort[] = [];
afterEach(() => {
  for (const port of opened.splice(0)) port.close();
});

function channel(answers: Partial<Answers>): Caller {
  const { port1, port2 } = new MessageChannel();
  opened.push(port1, port2);
  answerOver(port2, answers as Answers);
  return callOver(port1);
}

const REQUEST = { source: { url: 'http://localhost/model' } };

test('what a call tells comes in order, before its answer', async () => {
  const told: unknown[] = [];
  const { call } = channel({
    async load(_, { tell }) {
      for (const done of [1, 2]) tell({ phase: 'load', done, total: 2 });
      return { name: 'tiny' } as never;
    },
  });
  await expect(call('load', REQUEST, { onTold: (t) => told.push(t) })).resolves.toEqual({
    name: 'tiny',
  });
  expect(told).toEqual([1, 2].map((done) => ({ phase: 'load', done, total: 2 })));
});

test('buffers that are handed over are gone on the side that told them', async () => {
  const rgba = new Uint8ClampedArray([1, 2, 3, 4]);
  const picture = { width: 1, height: 1, rgba };
  const told: unknown[] = [];
  const { call } = channel({
    draw: async (_, { tell }) => tell({ type: 'preview', done: 1, picture }, [rgba.buffer]),
  });
  await call('draw', {}, { onTold: (event) => told.push(event) });
  expect(rgba).toHaveLength(0);
  expect(told).toEqual([
    {
      type: 'preview',
      done: 1,
      picture: { width: 1, height: 1, rgba: new Uint8ClampedArray([1, 2, 3, 4]) },
    },
  ]);
});

test.each([
  new OptionError('wrong'),
  new WeightsError('broken'),
  new DeviceError('lost', 'gone'),
  new DownloadError('offline', 'no network'),
  new DOMException('too much', 'QuotaExceededError'),
  new TypeError('a fault of ours'),
])('an error keeps its class, message and problem: %s', async (error) => {
  const { call } = channel({ hello: () => Promise.reject(error) });
  const caught = await call('hello', undefined).catch((caught: unknown) => caught);
  expect(caught).toBeInstanceOf(error instanceof TypeError ? Error : error.constructor);
  expect(caught).toMatchObject({ name: error.name, message: error.message });
  expect(Object(caught).problem).toBe(Object(error).problem);
});

test('aborting rejects with the reason of the signal at once, and aborts the work', async () => {
  let stopped = false;
  const { call } = channel({
    hello: (_, { signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          stopped = true;
          setTimeout(() => reject(signal.reason), 50);
        });
      }),
  });
  const controller = new AbortController();
  const answer = call('hello', undefined, { signal: controller.signal });
  const reason = new Error('enough');
  controller.abort(reason);
  await expect(answer).rejects.toBe(reason);
  await until(() => stopped);
});

test('a signal that is aborted already asks for nothing', async () => {
  let asked = 0;
  const { call } = channel({ hello: async () => `${asked++}` });
  const signal = AbortSignal.abort(new Error('before'));
  await expect(call('hello', undefined, { signal })).rejects.toThrow('before');
  await call('hello', undefined);
  expect(asked).toBe(1);
});

test('what cannot be sent rejects', async () => {
  const { call } = channel({});
  const source = { url: () => 'a function' } as never;
  await expect(call('load', { source })).rejects.toThrow(/could not be cloned/);
});

test('closing ends what runs and what comes', async () => {
  const caller = channel({ hello: () => new Promise(() => {}) });
  const running = caller.call('hello', undefined);
  caller.close(new DeviceError('destroyed', 'closed'));
  await expect(running).rejects.toThrow('closed');
  await expect(caller.call('hello', undefined)).rejects.toThrow('closed');
});

test('a worker of another version is refused', async () => {
  const { port1, port2 } = new MessageChannel();
  opened.push(port1, port2);
  answerOver(port2, { hello: async () => '0.0.0' } as Partial<Answers> as Answers);
  await expect(connectWorker(port1)).rejects.toThrow(/its worker of 0\.0\.0: reload/);
});
