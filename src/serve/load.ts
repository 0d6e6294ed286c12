/** How busy engines are, as plain numbers that travel between processes and add up. */
import type { MemoryUse } from '../gpu/memory.ts';

/** Of one engine, or of all engines of a backend. */
export interface BackendLoad {
  /** Engines that are up. */
  readonly workers: number;
  /** Requests that wait for slots, and those that have them. */
  readonly waiting: number;
  readonly running: number;
  /** KV slots: a guided request takes two of them, any other one. */
  readonly slots: number;
  readonly slotsInUse: number;
  /** Rows of the latest pass that belonged to a request; none when nothing runs. */
  readonly rowsInUse: number;
  /** Since the start: passes, and tokens that they drew. */
  readonly passes: number;
  readonly tokens: number;
  /** Since the start, over all passes: their rows, and those of them that belonged to a request. */
  readonly rowsComputed: number;
  readonly rowsFull: number;
  /** Devices that were lost and opened again. */
  readonly resets: number;
  /** Bytes of GPU memory in use, by kind. */
  readonly gpuBytes: MemoryUse;
}

/** Of a backend that has no engine now. */
export const NO_LOAD: BackendLoad = {
  ...{ workers: 0, waiting: 0, running: 0, slots: 0, slotsInUse: 0, rowsInUse: 0 },
  ...{ passes: 0, tokens: 0, rowsComputed: 0, rowsFull: 0, resets: 0 },
  gpuBytes: { weights: 0, state: 0, temp: 0, staging: 0 },
};

/** The load of several engines as that of one. */
export function addLoads(loads: Iterable<BackendLoad>): BackendLoad {
  let sum = NO_LOAD;
  for (const load of loads) {
    const { gpuBytes } = load;
    sum = {
      workers: sum.workers + load.workers,
      waiting: sum.waiting + load.waiting,
      running: sum.running + load.running,
      slots: sum.slots + load.slots,
      slotsInUse: sum.slotsInUse + load.slotsInUse,
      rowsInUse: sum.rowsInUse + load.rowsInUse,
      passes: sum.passes + load.passes,
      tokens: sum.tokens + load.tokens,
      rowsComputed: sum.rowsComputed + load.rowsComputed,
      rowsFull: sum.rowsFull + load.rowsFull,
      resets: sum.resets + load.resets,
      gpuBytes: {
        weights: sum.gpuBytes.weights + gpuBytes.weights,
        state: sum.gpuBytes.state + gpuBytes.state,
        temp: sum.gpuBytes.temp + gpuBytes.temp,
        staging: sum.gpuBytes.staging + gpuBytes.staging,
      },
    };
  }
  return sum;
}
