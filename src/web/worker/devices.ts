/** The device of a worker, opened when it is needed and again when it was lost. */
import type { WebDevice } from '../device.ts';

/** A device that a worker computes on. */
export type WorkerDevice = Pick<WebDevice, 'device' | 'adapter' | 'notes' | 'software' | 'close'>;

export class Devices {
  readonly #open: () => Promise<WorkerDevice>;
  #opened: Promise<WorkerDevice> | undefined;

  constructor(open: () => Promise<WorkerDevice>) {
    this.#open = open;
  }

  /** @throws DeviceError when there is none, also when it is asked again: one may have come. */
  async get(): Promise<WorkerDevice> {
    const opened = this.#opened;
    if (opened) {
      const there = await opened.catch(() => undefined);
      if (there && !(await isLost(there))) return there;
      // Somebody else may have opened another meanwhile.
      if (this.#opened !== opened) return this.get();
    }
    this.#opened = this.#open();
    return this.#opened;
  }

  /** As if something outside had taken it away. */
  async lose(): Promise<void> {
    const opened = await this.#opened;
    opened?.close();
  }
}

const isLost = async ({ device }: WorkerDevice): Promise<boolean> =>
  (await Promise.race([device.lost, undefined])) !== undefined;
