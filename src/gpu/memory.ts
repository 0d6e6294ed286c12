/** The one place that creates long-lived GPU buffers, so that memory stays countable. */
import { DeviceError } from '../errors.ts';

/** What a buffer is for. */
export type MemoryKind = 'weights' | 'state' | 'temp' | 'staging';

/** Bytes of GPU memory in use, by kind. */
export type MemoryUse = Readonly<Record<MemoryKind, number>>;

export class Memory {
  readonly device: GPUDevice;
  readonly #buffers = new Map<GPUBuffer, MemoryKind>();

  constructor(device: GPUDevice) {
    this.device = device;
  }

  get use(): MemoryUse {
    const use = { weights: 0, state: 0, temp: 0, staging: 0 };
    for (const [buffer, kind] of this.#buffers) use[kind] += buffer.size;
    return use;
  }

  /**
   * Creates one zeroed buffer.
   * @param size In bytes.
   * @throws DeviceError (`limit`) when the device cannot bind a buffer of this size.
   */
  create(kind: MemoryKind, label: string, size: number, usage: GPUBufferUsageFlags): GPUBuffer {
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
    return buffer;
  }

  free(buffers: Iterable<GPUBuffer>): void {
    for (const buffer of buffers) {
      if (this.#buffers.delete(buffer)) buffer.destroy();
    }
  }

  freeAll(): void {
    this.free([...this.#buffers.keys()]);
  }

  /**
   * Runs `work` and waits until the device has accepted what it created.
   * @throws DeviceError when an allocation did not fit or a call was not valid.
   */
  async checked<T>(what: string, work: () => Promise<T> | T): Promise<T> {
    this.device.pushErrorScope('out-of-memory');
    this.device.pushErrorScope('validation');
    let result: T | undefined;
    let failure: unknown;
    try {
      result = await work();
    } catch (error) {
      failure = error ?? new Error(`${what} failed`);
    }
    const [invalid, full] = await Promise.all([
      this.device.popErrorScope(),
      this.device.popErrorScope(),
    ]);
    if (full) {
      throw new DeviceError(
        'out-of-memory',
        `${what}: the device is out of memory: ${full.message}`,
      );
    }
    if (failure !== undefined) throw failure;
    if (invalid) throw new DeviceError('validation', `${what}: ${invalid.message}`);
    return result as T;
  }
}
