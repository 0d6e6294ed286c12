/** Turns what goes wrong on a device behind the program's back into one typed error. */
import { DeviceError } from '../errors.ts';

export interface DeviceWatch {
  /** Settles as `work` does, or rejects with a DeviceError when the device fails first. */
  race<T>(work: Promise<T>): Promise<T>;
}

const watches = new WeakMap<GPUDevice, DeviceWatch>();

/** The watch of a device: one listener however often it is asked for. */
export function watchDevice(device: GPUDevice): DeviceWatch {
  const known = watches.get(device);
  if (known) return known;
  const waiting = new Set<(error: DeviceError) => void>();
  let lost: DeviceError | undefined;
  const fail = (error: DeviceError): void => {
    for (const reject of waiting) reject(error);
  };
  device.addEventListener('uncapturederror', ({ error }) => {
    const problem = error instanceof GPUOutOfMemoryError ? 'out-of-memory' : 'validation';
    fail(new DeviceError(problem, `the device reported an error: ${error.message}`));
  });
  device.lost.then(({ reason, message }) => {
    const cause = reason === 'destroyed' ? 'it was destroyed' : message || 'no reason was given';
    lost = new DeviceError('lost', `the GPU device was lost: ${cause}; open it and load again`);
    fail(lost);
  });
  const watch: DeviceWatch = {
    // A set of callbacks and not Promise.race: racing one everlasting promise would keep every
    // loser's reaction alive as long as the device.
    race(work) {
      return new Promise((resolve, reject) => {
        if (lost) return reject(lost);
        waiting.add(reject);
        work.then(resolve, reject).finally(() => waiting.delete(reject));
      });
    },
  };
  watches.set(device, watch);
  return watch;
}
