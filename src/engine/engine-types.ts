/** What an engine offers. */
import type { Profiler } from '../gpu/profiler.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import {
  abortSignal,
  type Checks,
  callback,
  integer,
  profiler as profilerCheck,
} from '../options.ts';
import type { EngineEvent, ImageRequest } from './request.ts';

export interface EngineOptions {
  /** KV slots: a guided request takes two of them, any other one. Default 32. */
  readonly capacity?: number | undefined;
  /** Most rows of a pass, which windows share; no fewer than there are slots. Default 64. */
  readonly rows?: number | undefined;
  /** Follows the engine, which it slows down a little. */
  readonly profiler?: Profiler | undefined;
}

export interface SubmitOptions {
  /** Takes the request out within a chunk of steps; its events end with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Number of the image, for messages. Default: how many were submitted before. */
  readonly index?: number | undefined;
  /**
   * Called now and then, and when the grid is full, with the tokens so far. As the `prefix` of the same
   * request they lead to the same image, also on another engine whose model has the same fingerprint.
   */
  readonly onKnown?: ((tokens: Uint32Array<ArrayBuffer>) => void) | undefined;
}

const MAX_CAPACITY = 2 ** 16;
export const ENGINE: Checks<EngineOptions> = {
  capacity: integer(1, MAX_CAPACITY),
  rows: integer(1, MAX_CAPACITY),
  profiler: profilerCheck,
};
export const SUBMIT: Checks<SubmitOptions> = {
  signal: abortSignal,
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
  /** With a profiler: how long passes ran on the device, and how long none did in between. */
  readonly device?: { readonly ms: number; readonly idleMs: number } | undefined;
}

/**
 * Runs requests side by side. A request's tokens depend on the weights, the request and the adapter
 * alone: not on the other requests, nor on when it joins them.
 */
export interface Engine {
  readonly capacity: number;
  /** Requests that wait or run. */
  readonly jobs: number;
  readonly stats: EngineStats;
  /**
   * Asks for an image. Requests wait in their order until there are slots for them. Whoever stops
   * taking events (`return`, as `break` does in a loop) takes the request out.
   * @throws OptionError at once for a request that can never be met. What goes wrong later ends the
   * events of that request: WeightsError where its logits or pixels are not finite, DeviceError when
   * the device fails, the signal's reason.
   */
  submit(request: ImageRequest, options?: SubmitOptions): AsyncIterableIterator<EngineEvent>;
  /**
   * Builds the program for passes that requests wait for otherwise.
   * @param rows Of the requests, with one position each.
   * @param window Of all of them. Default 1.
   * @param captions Theirs, of a model of texts.
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
