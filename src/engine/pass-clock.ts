/** When the passes of an engine ran on the device, where somebody wants to know. */
import type { Memory } from '../gpu/memory.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { MAX_PASSES, type PassTime, Timeline } from '../gpu/timeline.ts';

export class PassClock {
  readonly #timeline: Timeline;
  readonly #profiler: Profiler;
  #names: string[] = [];
  /** From the begin of the first pass to the end of the last, and the part in which none ran. */
  readonly device: { ms: number; idleMs: number } = { ms: 0, idleMs: 0 };

  constructor(memory: Memory, profiler: Profiler) {
    this.#timeline = new Timeline(memory, MAX_PASSES);
    this.#profiler = profiler;
  }

  /** What the next pass must be begun with; undefined when there is no room. */
  next(name: string): GPUComputePassTimestampWrites | undefined {
    const writes = this.#timeline.next();
    if (writes) this.#names.push(name);
    return writes;
  }

  /** Takes the times of the passes since the last call. Waits for them. */
  async read(): Promise<void> {
    const names = this.#names;
    this.#names = [];
    const times = await this.#timeline.read();
    this.#profiler.addPasses(names, times);
    this.device.ms += ((times.at(-1)?.endUs ?? 0) - (times[0]?.beginUs ?? 0)) / 1000;
    this.device.idleMs += idleUs(times) / 1000;
  }

  destroy(): void {
    this.#timeline.destroy();
  }
}

/** How a pass is called in a profile. */
export const countSteps = (steps: number): string => (steps === 1 ? '1 step' : `${steps} steps`);

/** Time between passes. */
export function idleUs(times: readonly PassTime[]): number {
  return times.slice(1).reduce((sum, { beginUs }, i) => {
    return sum + Math.max(0, beginUs - (times[i]?.endUs ?? beginUs));
  }, 0);
}
