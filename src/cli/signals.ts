/** Ctrl-C: asks a run to stop, and ends the process when it cannot. */

/** Exit codes, as shells know them. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;

/** A run that is asked to stop has so long. Steps stop in 50 ms; compilation cannot be stopped. */
const GRACE_MS = 400;

/** What came of a signal. */
export interface Stopped {
  readonly signal: string;
  readonly exitCode: number;
}

/** The signal that was sent to stop with, once it was. */
export interface Stop {
  readonly signal: AbortSignal;
  readonly stopped: Stopped | undefined;
}

/** Runs that are meant to be stopped, and the time that they take to end in good order. */
const graces = new WeakMap<AbortSignal, number>();

/**
 * Gives a run more time to stop than others have, from now on. One that ends within it has done what it
 * was asked to, and exits with 0.
 */
export function allowGrace(signal: AbortSignal, ms: number): void {
  graces.set(signal, ms);
}

/** Resolves when a run is to end. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** Whether a run that was stopped and has ended did what it was asked to. */
export const endsWell = (signal: AbortSignal): boolean => graces.has(signal);

/**
 * Turns signals of the system into one to stop. The process ends when that took too long, and at
 * once with a second one: files are written without a pause or removed at exit, so none is left half
 * written.
 * @param onExit Called before the process ends so.
 */
export function listenForStop(onExit: (stopped: Stopped) => void): Stop {
  const controller = new AbortController();
  let stopped: Stopped | undefined;
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      const first = stopped === undefined;
      stopped ??= { signal, exitCode };
      const result = stopped;
      process.exitCode = result.exitCode;
      const end = (): void => {
        onExit(result);
        process.exit(result.exitCode);
      };
      if (!first) end();
      // Without work that keeps the process, it ends by itself.
      setTimeout(end, graces.get(controller.signal) ?? GRACE_MS).unref();
      controller.abort();
    });
  }
  return {
    signal: controller.signal,
    get stopped() {
      return stopped;
    },
  };
}
