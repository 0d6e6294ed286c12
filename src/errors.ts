/**
 * The errors a user of this library can meet. Each has a stable `name`; messages say what was
 * wrong, what was expected and what to do.
 */

/** A value the caller passed is not usable. The command line exits with 2. */
export class OptionError extends RangeError {
  override readonly name = 'OptionError';
}

/** A model file is permanently bad, does not fit or gives numbers that are not finite: retrying cannot help. */
export class WeightsError extends Error {
  override readonly name = 'WeightsError';
}

/** Why a device cannot be used. */
export type DeviceProblem =
  | 'no-adapter'
  | 'limit'
  | 'out-of-memory'
  | 'lost'
  | 'destroyed'
  | 'validation';

/** The adapter or device cannot do what was asked, or stopped working. */
export class DeviceError extends Error {
  override readonly name = 'DeviceError';
  readonly problem: DeviceProblem;

  constructor(problem: DeviceProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}

/** So many requests wait already that no more are taken: try again later. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
  /** Requests that wait. */
  readonly waiting: number;

  constructor(waiting: number, message: string) {
    super(message);
    this.waiting = waiting;
  }
}

/** Why a file cannot be downloaded. */
export type DownloadProblem =
  | 'offline'
  | 'network'
  | 'denied'
  | 'not-found'
  | 'server'
  | 'wrong-bytes'
  | 'disk';

/** A file cannot be fetched from the hub or kept in the cache. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
  readonly problem: DownloadProblem;

  constructor(problem: DownloadProblem, message: string, options?: ErrorOptions) {
    super(message, options);
    this.problem = problem;
  }
}
