/** Many who wait for one signal. */

/** Who waits, and the one listener for all of them. */
interface Waiting {
  readonly callbacks: Set<() => void>;
  readonly tell: () => void;
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Calls back when a signal aborts. All who wait for a signal share one listener: Node takes more than ten for
 * a leak, and says so on standard error.
 * @returns Waits no more.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (!signal) return () => {};
  const { callbacks, tell } = waiting.get(signal) ?? listen(signal);
  callbacks.add(callback);
  return () => {
    callbacks.delete(callback);
    if (callbacks.size > 0 || waiting.get(signal)?.tell !== tell) return;
    signal.removeEventListener('abort', tell);
    waiting.delete(signal);
  };
}

function listen(signal: AbortSignal): Waiting {
  const callbacks = new Set<() => void>();
  const tell = (): void => {
    for (const callback of callbacks) callback();
  };
  signal.addEventListener('abort', tell);
  const all = { callbacks, tell };
  waiting.set(signal, all);
  return all;
}
