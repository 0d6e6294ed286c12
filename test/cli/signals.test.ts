/** Ctrl-C, without waiting for it. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { listenForStop, type Stopped } from '../../src/cli/signals.ts';

/** Compilation on a software adapter takes seconds and cannot be stopped. */
const WITHIN_MS = 1000;

const exit = vi.fn<(code?: number | string | null) => never>();
const onExit = vi.fn<(stopped: Stopped) => void>();
let stop: ReturnType<typeof listenForStop>;
let press: (signal: NodeJS.Signals) => void;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(process, 'exit').mockImplementation(exit);
  const names = ['SIGINT', 'SIGTERM'] as const;
  const before = new Set(names.flatMap((name) => process.listeners(name)));
  stop = listenForStop(onExit);
  const added = (name: NodeJS.Signals) => process.listeners(name).filter((f) => !before.has(f));
  press = (name) => {
    for (const listener of added(name)) listener(name);
  };
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    const [last] = process.listeners(name).slice(-1);
    if (last) process.off(name, last);
  }
  exit.mockReset();
  onExit.mockReset();
  process.exitCode = undefined;
});

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s', (name, code) => {
  test('asks to stop, and ends the process when that takes long', () => {
    expect(stop.stopped).toBeUndefined();
    press(name);
    expect([stop.signal.aborted, stop.stopped]).toEqual([true, { signal: name, exitCode: code }]);
    expect([process.exitCode, exit.mock.calls]).toEqual([code, []]);
    vi.advanceTimersByTime(100);
    expect(exit).not.toHaveBeenCalled();
    vi.advanceTimersByTime(WITHIN_MS - 200);
    expect(onExit.mock.calls).toEqual([[{ signal: name, exitCode: code }]]);
    expect(exit.mock.calls).toEqual([[code]]);
  });

  test('sent twice ends the process at once', () => {
    press(name);
    press(name);
    expect([exit.mock.calls, onExit.mock.calls.length]).toEqual([[[code]], 1]);
  });
});

test('the code is that of the first signal', () => {
  press('SIGTERM');
  press('SIGINT');
  expect(exit.mock.calls).toEqual([[143]]);
});
