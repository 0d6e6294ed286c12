/**
 * How often Dawn asks whether work is done. It does so from the event loop, by the global `setImmediate`,
 * without a pause for as long as anything is under way: that takes a core, which is one of those that a
 * software adapter computes on.
 */

/** Work that is done so soon is heard of at once: checks, short passes. */
const EAGER_MS = 2;
/** After that it is asked once in so long. */
const PAUSE_MS = 1;

type Callback = (...args: unknown[]) => void;
type Immediate = (callback: Callback, ...args: unknown[]) => unknown;

/** What `gentle` depends on. */
export interface Clock {
  now(): number;
  later(callback: Callback, ms: number): unknown;
}

const CLOCK: Clock = { now: () => performance.now(), later: setTimeout };

/** In the place of `setImmediate`: Dawn's callbacks come with pauses, all others as before. */
export function gentle(immediate: Immediate, { now, later }: Clock = CLOCK): Immediate {
  let since = 0;
  let isAsking = false;
  return (callback, ...args) => {
    if (args.length > 0 || !isNative(callback)) return immediate(callback, ...args);
    // Dawn asks again out of its own callback; from elsewhere it is new work.
    if (!isAsking) since = now();
    const ask = (): void => {
      isAsking = true;
      try {
        callback();
      } finally {
        isAsking = false;
      }
    };
    return now() - since < EAGER_MS ? immediate(ask) : later(ask, PAUSE_MS);
  };
}

/** Whether a function is an addon's: it has neither a name nor a text. */
const isNative = (callback: unknown): boolean =>
  typeof callback === 'function' &&
  callback.name === '' &&
  Function.prototype.toString.call(callback).endsWith('{ [native code] }');

let users = 0;
let restore = (): void => {};

/**
 * Has Dawn ask gently until the function that is returned has been called, by all who called this.
 * `setImmediate` is another function meanwhile, which does the same for everybody else.
 */
export function askGently(): () => void {
  if (users++ === 0) install();
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    if (--users === 0) restore();
  };
}

function install(): void {
  const before = globalThis.setImmediate;
  // With what else it has, such as its form that gives a promise.
  const own = Object.getOwnPropertyDescriptors(before);
  const ours = Object.defineProperties(gentle(before as Immediate), own) as typeof before;
  globalThis.setImmediate = ours;
  restore = () => {
    // Who replaced it since keeps what is theirs.
    if (globalThis.setImmediate === ours) globalThis.setImmediate = before;
  };
}
