/** What an engine that outlives its device offers. */
import type { Model } from '../load/model.ts';
import { type Checks, callback, integer, number } from '../options.ts';
import type { Engine, EngineOptions, SubmitOptions } from './engine-types.ts';
import { ENGINE } from './engine-types.ts';
import type { EngineEvent, ImageRequest } from './request.ts';

/** A model on a device that was opened for it. */
export interface OpenedModel {
  readonly model: Model;
  /** Frees both; also called when the device is lost. */
  close(): void;
}

/** Opens a device and loads the model on it: the same model each time, on an adapter of the same kind. */
export type OpenModel = () => Promise<OpenedModel>;

export interface LastingOptions extends Omit<EngineOptions, 'profiler'> {
  /**
   * Losses in a row after which it gives up: of the device, or while opening another, with no tokens read in
   * between. A request that runs each time is given up one loss before. Default 4.
   */
  readonly mostLosses?: number | undefined;
  /** Before the second opening in a row, and twice as long before each further one. Default 1000. */
  readonly pauseMs?: number | undefined;
  /** Called when a device was lost, before another is opened. */
  readonly onLost?: ((loss: Loss) => void) | undefined;
  /** Called once when it gave up, as `ended` tells; not for `destroy`. */
  readonly onEnded?: ((error: Error) => void) | undefined;
}

export interface Loss {
  /** Why, as the device or `open` said it. */
  readonly error: unknown;
  /** Losses in a row, this one among them. */
  readonly inARow: number;
}

const MAX_LOSSES = 1000;
const MAX_PAUSE_MS = 3_600_000;
const { profiler: _, ...engine } = ENGINE;
export const LASTING: Checks<LastingOptions> = {
  ...engine,
  mostLosses: integer(1, MAX_LOSSES),
  pauseMs: number(0, MAX_PAUSE_MS),
  onLost: callback,
  onEnded: callback,
};

/** What happens to a request: no event comes twice because a device was lost. */
export type LastingEvent =
  | EngineEvent
  /** The device it ran on was lost. It goes on, on another, with so many of its tokens. */
  | { readonly type: 'resumed'; readonly done: number };

/**
 * An engine that outlives its device. When one is lost, another is opened, and requests go on from the
 * tokens that were read last, to the pixels of an undisturbed run. `prepare` resolves where its device is lost
 * meanwhile.
 */
export interface LastingEngine
  extends Pick<Engine, 'capacity' | 'jobs' | 'stats' | 'load' | 'prepare' | 'idle' | 'destroy'> {
  /** The model that is open, or was last. */
  readonly model: Model;
  /** Whether there is a device; else requests wait for it. */
  readonly isOpen: boolean;
  /** Times that another device took the place of one that was lost. */
  readonly resets: number;
  /** Why it gave up; every request ends with this error. */
  readonly ended: Error | undefined;
  /**
   * As `Engine.submit`. What ends the events with a DeviceError (`lost`) is only that it gave up: on the
   * device, or on this request, at whose every attempt a device was lost. Pictures do not go `into` what is of
   * one device.
   */
  submit(
    request: Omit<ImageRequest, 'into'>,
    options?: Omit<SubmitOptions, 'onKnown'>,
  ): AsyncIterableIterator<LastingEvent>;
}
