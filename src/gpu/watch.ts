/** Turns what goes wrong on a device behind the program's back into one typed error. */
import { DeviceError, type DeviceProblem } from '../errors.ts';

export interface DeviceWatch {
  /** Throws the DeviceError that has happened: always when the device is lost, else once. */
  check(): void;
  /**
   * Settles as `work` does, or rejects with a DeviceError when the device fails first or has failed
   * before; `work` is then left to itself.
   */
  race<T>(work: Promise<T>): Promise<T>;
}

/** A watch of something that lives on a device and may end before it. */
export interface EndingWatch extends DeviceWatch {
  /** Why it has ended. */
  readonly ended: DeviceError | undefined;
  /** Rejects whatever is raced now or later, with this error or the one it ended with before. */
  end(reason: DeviceError): void;
}

class Watch implements EndingWatch {
  // Callbacks and not Promise.race: racing one everlasting promise would keep every loser's reaction
  // alive as long as the device.
  readonly #waiting = new Set<(error: DeviceError) => void>();
  #ended: DeviceError | undefined;
  /** An error that nothing was there to be told. Not made yet: its stack would hold the device. */
  #untold: (() => DeviceError) | undefined;

  get ended(): DeviceError | undefined {
    return this.#ended;
  }

  check(): void {
    if (this.#ended) throw this.#ended;
    const untold = this.#untold;
    this.#untold = undefined;
    if (untold) throw untold();
  }

  race<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      work.then(resolve, reject).finally(() => this.#waiting.delete(reject));
      try {
        this.check();
      } catch (error) {
        reject(error);
      }
    });
  }

  end(reason: DeviceError): void {
    this.#ended ??= reason;
    this.#reject(this.#ended);
  }

  /** Tells an error to what runs now, else to what runs next. */
  tell(problem: DeviceProblem, message: string): void {
    const make = (): DeviceError => new DeviceError(problem, message);
    if (this.#waiting.size > 0) this.#reject(make());
    else this.#untold ??= make;
  }

  #reject(error: DeviceError): void {
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }
}

const watches = new WeakMap<GPUDevice, Watch>();

/** The watch of a device; it fails when the device is lost. */
export function watchDevice(device: GPUDevice): DeviceWatch {
  return deviceWatch(device);
}

function deviceWatch(device: GPUDevice): Watch {
  const known = watches.get(device);
  if (known) return known;
  const watch = new Watch();
  device.lost.then(({ reason, message }) => {
    const cause = reason === 'destroyed' ? 'it was destroyed' : message || 'no reason was given';
    watch.end(new DeviceError('lost', `the GPU device was lost: ${cause}; open it and load again`));
  });
  watches.set(device, watch);
  return watch;
}

/**
 * Makes errors that nobody caught on a device that this project opened reach what runs on it, or what
 * runs next. On a device of an app they are the app's: all work of this project has error scopes.
 * @param onError Called with each of them.
 */
export function catchStrayErrors(
  device: GPUDevice,
  onError?: (event: GPUUncapturedErrorEvent) => void,
): void {
  const watch = deviceWatch(device);
  device.addEventListener('uncapturederror', (event) => {
    onError?.(event);
    const { error } = event;
    const problem = error instanceof GPUOutOfMemoryError ? 'out-of-memory' : 'validation';
    watch.tell(problem, `the device reported an error: ${error.message}`);
  });
}

/** The watch of something on a device. */
export function endingWatch(device: GPUDevice): EndingWatch {
  const whole = deviceWatch(device);
  const own = new Watch();
  return {
    get ended() {
      return own.ended;
    },
    check() {
      own.check();
      whole.check();
    },
    race: (work) => own.race(whole.race(work)),
    end: (reason) => own.end(reason),
  };
}
