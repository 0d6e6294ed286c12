/** Trying again, longer and longer apart. */
import { DownloadError } from '../errors.ts';
import { TransientError } from './transient.ts';

/** Waits between tries. */
export interface RetryTiming {
  /** Tries that may fail one after the other without a byte gained. */
  readonly retries: number;
  /** Wait before the second try; it doubles with each one. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /**
   * Longest wait for the first connection of a run: without one there is no network. No other try
   * begins after half of it.
   */
  readonly contactMs: number;
}

export interface RetryOptions {
  readonly timing: RetryTiming;
  readonly signal: AbortSignal | undefined;
  /** Bytes that are here: a try that gained some counts as a new beginning. */
  doneBytes(): number;
  /** Whether any server was reached. */
  contacted(): boolean;
  /** What to do where nothing was reached, and where what came is kept. */
  readonly advice: { readonly alone: string; readonly again: string };
  onNote(text: string): void;
}

/**
 * Calls `work` until it throws something else than a TransientError, or too many of them in a row.
 * The waits double, are spread at random so that many users do not come back at once, and are never
 * shorter than what a server asked for. While nothing was reached at all, no try begins after half of `contactMs`.
 * @throws DownloadError when it gives up; the reason of the signal once it is aborted.
 */
export async function retrying<T>(options: RetryOptions, work: () => Promise<T>): Promise<T> {
  const { timing, signal, onNote } = options;
  const start = performance.now();
  let failures = 0;
  let most = options.doneBytes();
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof TransientError)) throw error;
      const done = options.doneBytes();
      failures = done > most ? 1 : failures + 1;
      most = Math.max(most, done);
      const waitMs = Math.max(error.waitMs, spread(failures, timing));
      const nextAt = performance.now() - start + waitMs;
      const isAlone = !options.contacted();
      if (failures > timing.retries || (isAlone && nextAt > timing.contactMs / 2)) {
        throw givenUp(error, failures, isAlone ? options.advice.alone : options.advice.again);
      }
      onNote(`${error.message}: trying again in ${Math.ceil(waitMs / 1000)} s`);
      await pause(waitMs, signal);
    }
  }
}

/** Waits; an abort ends it with the reason of the signal. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

function spread(failures: number, { firstWaitMs, longestWaitMs }: RetryTiming): number {
  const wait = Math.min(longestWaitMs, firstWaitMs * 2 ** (failures - 1));
  return wait * (0.5 + Math.random() / 2);
}

function givenUp(error: TransientError, tries: number, todo: string): DownloadError {
  const times = tries === 1 ? '1 try' : `${tries} tries`;
  return new DownloadError(error.problem, `${error.message}; gave up after ${times}: ${todo}`, {
    cause: error,
  });
}
