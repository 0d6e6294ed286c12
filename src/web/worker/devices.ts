/** The device of a worker, opened when it is needed and again when it was lost, and what is made on it. */
import { DeviceError } from '../../errors.ts';
import type { LoadOptions } from '../../load/model.ts';
import type { WebDevice } from '../device.ts';

/** A device that a worker computes on. */
export interface WorkerDevice
  extends Pick<WebDevice, 'device' | 'adapter' | 'notes' | 'software' | 'close'> {
  /** How kernels are made on it: `{ tiles: await tunedTiles(device) }` where it was tuned. */
  readonly kernels?: Pick<LoadOptions, 'variant' | 'tiles'> | undefined;
}

export class Devices {
  readonly #open: () => Promise<WorkerDevice>;
  #opened: Promise<WorkerDevice> | undefined;

  constructor(open: () => Promise<WorkerDevice>) {
    this.#open = open;
  }

  /** @throws DeviceError when there is none. Whoever asks again has it looked for again. */
  async get(): Promise<WorkerDevice> {
    const opened = this.#opened;
    if (opened) {
      const there = await opened.catch(() => undefined);
      if (there && !(await isLost(there.device))) return there;
      // Somebody else may have opened another meanwhile.
      if (this.#opened !== opened) return this.get();
    }
    this.#opened = this.#open();
    return this.#opened;
  }

  /** Loses the device, as if something outside had taken it away. */
  async lose(): Promise<void> {
    const opened = await this.#opened;
    opened?.close();
  }
}

/** Devices that one use of something may outlive. */
const MOST_LOSSES = 3;
/** Calls on a device fail before it says that it is lost, but not by more. */
const LOST_WITHIN_MS = 1000;

/** How many bytes of how many are on the device. */
export type OnProgress = (done: number, total: number) => void;

/** Makes something on a device. */
export type Make<T> = (on: WorkerDevice, onProgress: OnProgress) => Promise<T>;

/** Something on the device of a worker: made when it is needed first, and again where that was lost. */
export class OnDevice<T extends { destroy(): void }> {
  readonly #devices: Devices;
  readonly #make: Make<T>;
  /** Of those who wait for it. */
  readonly #waiting = new Set<OnProgress>();
  #made: { readonly on: WorkerDevice; readonly value: Promise<T> } | undefined;
  #isDestroyed = false;

  constructor(devices: Devices, make: Make<T>) {
    this.#devices = devices;
    this.#make = make;
  }

  /**
   * Does work with it, from the beginning where the device is lost meanwhile.
   * @param onProgress Called while it is made.
   * @throws What making it or the work throws; DeviceError when devices are lost again and again.
   */
  async use<R>(work: (value: T) => Promise<R>, onProgress: OnProgress): Promise<R> {
    for (let losses = 0; ; ) {
      const on = await this.#devices.get();
      try {
        return await work(await this.#when(on, onProgress));
      } catch (error) {
        const mayBeLoss = error instanceof DeviceError && error.problem !== 'destroyed';
        const isLoss = mayBeLoss && (await isLost(on.device, LOST_WITHIN_MS));
        if (!isLoss || ++losses >= MOST_LOSSES) throw error;
      }
    }
  }

  /** Frees it, also while it is being made. */
  destroy(): void {
    this.#isDestroyed = true;
    this.#free();
  }

  async #when(on: WorkerDevice, onProgress: OnProgress): Promise<T> {
    this.#waiting.add(onProgress);
    try {
      return await this.#on(on);
    } finally {
      this.#waiting.delete(onProgress);
    }
  }

  #on(on: WorkerDevice): Promise<T> {
    if (this.#isDestroyed) throw replaced();
    if (this.#made?.on === on) return this.#made.value;
    this.#free();
    const onProgress: OnProgress = (done, total) => {
      for (const told of this.#waiting) told(done, total);
    };
    const made = { on, value: this.#make(on, onProgress) };
    this.#made = made;
    made.value.catch(() => {
      if (this.#made === made) this.#made = undefined; // whoever asks next tries again
    });
    return made.value;
  }

  #free(): void {
    this.#made?.value.then(
      (value) => value.destroy(),
      () => {}, // told to whoever asked for it
    );
    this.#made = undefined;
  }
}

/** Of a model that gave way to another. */
export const replaced = (): DeviceError =>
  new DeviceError('destroyed', 'the model was replaced by another');

/** Whether a device is lost, or will be so soon. */
async function isLost({ lost }: GPUDevice, withinMs = 0): Promise<boolean> {
  const wait =
    withinMs > 0 ? new Promise<undefined>((done) => setTimeout(done, withinMs)) : undefined;
  return (await Promise.race([lost, wait])) !== undefined;
}
