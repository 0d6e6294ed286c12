/** The one place that creates long-lived GPU buffers, so that memory stays countable. */
import { DeviceError } from '../errors.ts';
import { checked } from './checked.ts';
import { type EndingWatch, endingWatch } from './watch.ts';

/** What a buffer is for. */
export type MemoryKind = 'weights' | 'state' | 'temp' | 'staging';

/** Bytes of GPU memory in use, by kind. */
export type MemoryUse = Readonly<Record<MemoryKind, number>>;

export class Memory {
  readonly device: GPUDevice;
  readonly #buffers = new Map<GPUBuffer, MemoryKind>();
  #watch: EndingWatch | undefined;
  #bytes = 0;
  #peakBytes = 0;

  constructor(device: GPUDevice) {
    this.device = device;
  }

  /** Fails as the device does, and when this memory is closed. */
  get watch(): EndingWatch {
    this.#watch ??= endingWatch(this.device);
    return this.#watch;
  }

  get use(): MemoryUse {
    const use = { weights: 0, state: 0, temp: 0, staging: 0 };
    for (const [buffer, kind] of this.#buffers) use[kind] += buffer.size;
    return use;
  }

  /** The most bytes that were in use at once. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /**
   * Creates one zeroed buffer.
   * @param size In bytes.
   * @throws DeviceError (`limit`) when the device cannot bind a buffer of this size; the reason when
   * this memory is closed.
   */
  create(kind: MemoryKind, label: string, size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    if (this.#watch?.ended) throw this.#watch.ended;
    const { maxBufferSize, maxStorageBufferBindingSize } = this.device.limits;
    const limit =
      kind === 'staging' ? maxBufferSize : Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (size > limit) {
      throw new DeviceError(
        'limit',
        `"${label}" needs a buffer of ${size} bytes, and this adapter binds at most ${limit}`,
      );
    }
    const buffer = this.device.createBuffer({ label, size: Math.max(4, size), usage });
    this.#buffers.set(buffer, kind);
    this.#bytes += buffer.size;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
    return buffer;
  }

  free(buffers: Iterable<GPUBuffer>): void {
    for (const buffer of buffers) {
      if (!this.#buffers.delete(buffer)) continue;
      this.#bytes -= buffer.size;
      buffer.destroy();
    }
  }

  freeAll(): void {
    this.free([...this.#buffers.keys()]);
  }

  /** Frees everything for good: what runs now fails with the reason, and so does every later use. */
  close(reason: DeviceError): void {
    this.watch.end(reason);
    this.freeAll();
  }

  /** As `checked`, on this device. */
  checked<T>(what: string, work: () => T): Promise<Awaited<T>> {
    return checked(this.device, what, work);
  }

  /** As `checked`, for what has memory of its own: it is destroyed where the device does not accept it. */
  async make<T extends { destroy(): void }>(what: string, make: () => T): Promise<T> {
    let made: T | undefined;
    try {
      await this.checked(what, () => {
        made = make();
      });
    } catch (error) {
      made?.destroy();
      throw error;
    }
    return made as T;
  }
}
