import { describe, expect, test } from 'vitest';
import { EventQueue } from '../../src/engine/event-queue.ts';

const done = { done: true, value: undefined };

describe('events', () => {
  test('are taken in their order, those to come as well', async () => {
    const queue = new EventQueue<number>(() => {});
    queue.push(1);
    queue.push(2);
    expect(await queue.next()).toEqual({ done: false, value: 1 });
    expect(await queue.next()).toEqual({ done: false, value: 2 });
    const [third, end] = [queue.next(), queue.next()];
    queue.push(3);
    queue.end();
    queue.push(4);
    expect(await third).toEqual({ done: false, value: 3 });
    expect(await end).toEqual(done);
    expect(await queue.next()).toEqual(done);
  });

  test('that nobody took make way for what replaces them', async () => {
    const queue = new EventQueue<string>(() => {});
    const push = (value: string): void => queue.push(value, (latest) => latest[0] === value[0]);
    for (const value of ['a1', 'a2', 'b1', 'a3', 'a4']) push(value);
    queue.end();
    const taken: string[] = [];
    for await (const value of queue) taken.push(value);
    expect(taken).toEqual(['a2', 'b1', 'a4']);
  });

  test('before an error are taken before it, and it is told once', async () => {
    const queue = new EventQueue<number>(() => {});
    const error = new Error('enough');
    queue.push(1);
    queue.fail(error);
    queue.end();
    expect(await queue.next()).toEqual({ done: false, value: 1 });
    await expect(queue.next()).rejects.toBe(error);
    expect(await queue.next()).toEqual(done);
  });

  test('an error reaches who waits already', async () => {
    const queue = new EventQueue<number>(() => {});
    const [first, second] = [queue.next(), queue.next()];
    queue.fail(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    expect(await second).toEqual(done);
  });

  test('are over for whoever returns, also while somebody waits', async () => {
    let returned = 0;
    const queue = new EventQueue<number>(() => returned++);
    const waiting = queue.next();
    expect(await queue.return()).toEqual(done);
    expect(await waiting).toEqual(done);
    expect(queue.hasEnded).toBe(true);
    expect(returned).toBe(1);
    queue.push(1);
    expect(await queue.next()).toEqual(done);
  });
});
