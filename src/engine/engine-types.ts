/** What an engine offers. */
import type { Profiler } from '../gpu/profiler.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import {
  abortSignal,
  type Checks,
  callback,
  integer,
  number,
  profiler as profilerCheck,
} from '../options.ts';
import type { EngineEvent, ImageRequest } from './request.ts';

export interface EngineOptions {
  /**
   * KV slots: a guided request takes two of them, any other one. Default `auto`: as many as there is memory
   * for, up to 64, on software adapters up to 32.
   */
  readonly capacity?: number | 'auto' | undefined;
  /** GPU memory that the model and its slots may take together, for `auto`. Default: as the device's limits are. */
  readonly memoryBytes?: number | undefined;
  /** Most rows of a pass, which windows share; no fewer than there are slots. Default 64. */
  readonly rows?: number | undefined;
  /** Requests that may wait for slots; `submit` refuses more. Default: any number. */
  readonly mostWaiting?: number | undefined;
  /**
   * Milliseconds of passes that are queued on the device ahead of their results, in chunks of half as many. More
   * of them hide pauses of JavaScript; with fewer a request joins the others sooner. Default 100: browsers
   * tell up to 15 ms late that work is done.
   */
  readonly aheadMs?: number | undefined;
  /** Follows the engine, which it slows down a little. */
  readonly profiler?: Profiler | undefined;
}

export interface SubmitOptions {
  /** Takes the request out within a chunk of steps; its events end with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Of those that wait, the highest begin first, and of equal ones the first that came. Default 0. */
  readonly priority?: number | undefined;
  /** Number of the image, for messages. Default: how many were submitted before. */
  readonly index?: number | undefined;
  /**
   * Called now and then, and when the grid is full, with the tokens so far. As the `prefix` of the same
   * request they lead to the same image, also on another engine whose model has the same fingerprint.
   */
  readonly onKnown?: ((tokens: Uint32Array<ArrayBuffer>) => void) | undefined;
}

const MAX_CAPACITY = 2 ** 16;
const MAX_PRIORITY = 1_000_000;
export const ENGINE: Checks<EngineOptions> = {
  capacity: (value) => {
    const expected = value === 'auto' ? undefined : integer(1, MAX_CAPACITY)(value);
    return expected && `${expected} or "auto"`;
  },
  memoryBytes: integer(1),
  rows: integer(1, MAX_CAPACITY),
  mostWaiting: integer(0),
  aheadMs: number(1, 10_000),
  profiler: profilerCheck,
};
export const SUBMIT: Checks<SubmitOptions> = {
  signal: abortSignal,
  priority: integer(-MAX_PRIORITY, MAX_PRIORITY),
  index: integer(0),
  onKnown: callback,
};

/** What an engine has done so far. */
export interface EngineStats {
  /** Passes. */
  readonly steps: number;
  /** Submits. */
  readonly chunks: number;
  /** JavaScript time spent encoding and submitting. */
  readonly encodeMs: number;
  /** JavaScript time spent deciding who runs, and with which rows. */
  readonly scheduleMs: number;
  /** Over all passes that draw: their rows, and those of them that belonged to a request. */
  readonly rowsComputed: number;
  readonly rowsFull: number;
  /** Tokens that were drawn; given ones do not count. */
  readonly tokens: number;
  /** Requests that ended with their image. */
  readonly images: number;
  /** With a profiler: how long passes ran on the device, and how long none did in between. */
  readonly device?: { readonly ms: number; readonly idleMs: number } | undefined;
}

/** What an engine is doing. */
export interface EngineLoad {
  /** Requests that wait for slots. */
  readonly waiting: number;
  /** Those that have slots. */
  readonly running: number;
  /** Those whose tokens are full, and whose pixels are on their way. */
  readonly finishing: number;
  readonly slots: number;
  readonly slotsInUse: number;
  /** Of the latest passes, and those that belonged to a request; 0 while nothing runs. */
  readonly rows: number;
  readonly rowsInUse: number;
}

/**
 * Runs requests side by side. A request's tokens depend on the weights, the request and the adapter
 * alone: not on the other requests, nor on when it joins them.
 */
export interface Engine {
  readonly capacity: number;
  /** Requests that wait or run. */
  readonly jobs: number;
  /** Since it was made. */
  readonly stats: EngineStats;
  /** Now. */
  readonly load: EngineLoad;
  /**
   * Asks for an image. Requests wait in their order until there are slots for them. Whoever stops
   * taking events (`return`, as `break` does in a loop) takes the request out.
   * @throws OptionError at once for a request that can never be met, BusyError where `mostWaiting` wait. What goes wrong later ends the
   * events of that request: WeightsError where its logits or pixels are not finite, DeviceError when
   * the device fails, the signal's reason.
   */
  submit(request: ImageRequest, options?: SubmitOptions): AsyncIterableIterator<EngineEvent>;
  /**
   * Builds the program for passes that requests wait for otherwise.
   * @param rows Of the requests, with one position each.
   * @param window Of all of them. Default 1.
   * @param captions Theirs, of a model of texts.
   * @throws DeviceError (`destroyed`) when the engine is, or is meanwhile, or with what keeps a program from being built.
   */
  prepare(
    rows: number,
    window?: number | 'auto',
    captions?: readonly CaptionFeatures[],
  ): Promise<void>;
  /** Resolves when no request waits or runs. */
  idle(): Promise<void>;
  /** Frees its GPU memory; the model stays. Requests that run end with a DeviceError (`destroyed`). */
  destroy(): void;
}
