/** A lock goes with its process. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { withLock } from '../../../src/node/hub/lock.ts';

test('the lock of a process that ends in the middle of its work is removed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-lock-'));
  const path = join(folder, 'x.lock');
  const before = new Set(process.listeners('exit'));
  let done = (): void => {};
  const work = () => new Promise<void>((resolve) => (done = resolve));
  const options = { pollMs: 1, signal: undefined, onWait() {} };
  const running = withLock(path, options, work);
  expect(existsSync(path)).toBe(true);
  const added = process.listeners('exit').filter((listener) => !before.has(listener));
  for (const listener of added) listener(130);
  expect(existsSync(path)).toBe(false);
  done();
  await running;
  expect(process.listeners('exit').filter((listener) => !before.has(listener))).toEqual([]);
  rmSync(folder, { recursive: true });
});
