/** Begin and end of compute passes on the device's clock. */
import type { Memory } from './memory.ts';
import { readBuffer } from './readback.ts';

/** Microseconds on the device's clock, whose zero means nothing. */
export interface PassTime {
  readonly beginUs: number;
  readonly endUs: number;
}

/** Query sets hold at most 4096 timestamps (WebGPU): two a pass. */
export const MAX_PASSES = 2048;

/** Whether a device can tell times; devices need the feature `timestamp-query`. */
export const hasTimestamps = ({ features }: GPUDevice): boolean => features.has('timestamp-query');

/** Room for the times of some passes, used again after each `read`. It is made by `Memory.make`. */
export class Timeline {
  readonly #memory: Memory;
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #writes: readonly GPUComputePassTimestampWrites[];
  #used = 0;

  /** @param passes At most `MAX_PASSES`. */
  constructor(memory: Memory, passes: number) {
    this.#memory = memory;
    const count = passes * 2;
    const querySet = memory.device.createQuerySet({ label: 'timeline', type: 'timestamp', count });
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    this.#querySet = querySet;
    this.#resolved = memory.create('staging', 'timeline', count * 8, usage);
    this.#writes = Array.from({ length: passes }, (_, i) => ({
      querySet,
      beginningOfPassWriteIndex: 2 * i,
      endOfPassWriteIndex: 2 * i + 1,
    }));
  }

  /** What the next pass must be begun with; undefined when there is no room. */
  next(): GPUComputePassTimestampWrites | undefined {
    const writes = this.#writes[this.#used];
    if (writes) this.#used++;
    return writes;
  }

  /** Times of the passes since the last read, in their order. Waits for them. */
  async read(): Promise<PassTime[]> {
    const count = this.#used;
    if (count === 0) return [];
    this.#used = 0;
    const { device } = this.#memory;
    await this.#memory.checked('timeline', () => {
      const encoder = device.createCommandEncoder({ label: 'timeline' });
      encoder.resolveQuerySet(this.#querySet, 0, count * 2, this.#resolved, 0);
      device.queue.submit([encoder.finish()]);
    });
    const bytes = await readBuffer(this.#memory, this.#resolved, count * 16);
    const ns = new BigUint64Array(bytes);
    const us = (i: number): number => Number(ns[i] ?? 0n) / 1000;
    return Array.from({ length: count }, (_, i) => ({ beginUs: us(2 * i), endUs: us(2 * i + 1) }));
  }

  destroy(): void {
    this.#querySet.destroy();
    this.#memory.free([this.#resolved]);
  }
}
