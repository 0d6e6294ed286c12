/** Bytes back from the device: the only place that waits for a mapping. */
import { DeviceError } from '../errors.ts';
import type { Memory } from './memory.ts';

/** Readbacks of one size, over and over, through buffers that are made once. */
export class Reader {
  readonly #memory: Memory;
  readonly #label: string;
  readonly #size: number;
  readonly #all: GPUBuffer[] = [];
  readonly #free: GPUBuffer[] = [];

  /** @param size Bytes of each readback, a multiple of 4. */
  constructor(memory: Memory, label: string, size: number) {
    this.#memory = memory;
    this.#label = label;
    this.#size = size;
  }

  /** Makes buffers for so many readbacks at once; more are made when they are wanted. */
  reserve(count: number): void {
    while (this.#all.length < count) this.#free.push(this.#make());
  }

  /**
   * Reads bytes of a buffer as they are after all work submitted before; what is submitted later does
   * not wait for it.
   * @throws DeviceError when the device refuses, or is lost.
   */
  async read(buffer: GPUBuffer, offset = 0): Promise<ArrayBuffer> {
    const { device } = this.#memory;
    const { staging, mapped } = await this.#memory.checked(this.#label, () => {
      const staging = this.#free.pop() ?? this.#make();
      const encoder = device.createCommandEncoder({ label: this.#label });
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, this.#size);
      device.queue.submit([encoder.finish()]);
      const mapped = staging.mapAsync(GPUMapMode.READ);
      mapped.catch(() => {}); // what the scopes say comes first
      return { staging, mapped };
    });
    await mapped.catch((cause: unknown) => {
      const message = `${this.#label}: the GPU device was lost; open it and load again`;
      throw new DeviceError('lost', message, { cause });
    });
    const bytes = staging.getMappedRange().slice(0);
    staging.unmap();
    this.#free.push(staging);
    return bytes;
  }

  destroy(): void {
    this.#memory.free(this.#all);
    this.#free.length = 0;
  }

  #make(): GPUBuffer {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const made = this.#memory.create('staging', this.#label, this.#size, usage);
    this.#all.push(made);
    return made;
  }
}

/**
 * Reads `size` bytes (a multiple of 4) of a buffer, once. Waits for all work submitted before.
 * @throws DeviceError when the device refuses, as for a buffer that was destroyed, or is lost.
 */
export async function readBuffer(
  memory: Memory,
  buffer: GPUBuffer,
  size: number = buffer.size,
  offset = 0,
): Promise<ArrayBuffer> {
  const reader = new Reader(memory, `readback of ${buffer.label}`, size);
  try {
    return await reader.read(buffer, offset);
  } finally {
    reader.destroy();
  }
}
