/** Time per kernel, by timestamps on the device. */
import type { Memory } from './memory.ts';
import type { Program } from './program.ts';
import { readBuffer } from './readback.ts';

/** All dispatches of one kernel in one run of a program. */
export interface KernelTime {
  /** The kernel's label. */
  readonly label: string;
  readonly dispatches: number;
  /** Time on the device, all dispatches together. */
  readonly us: number;
}

/** Query sets hold at most this many timestamps (WebGPU). */
const MAX_QUERIES = 4096;

/**
 * Runs a program once with every dispatch in a pass of its own, and says where the time went, the
 * longest first. Passes cost time of their own, so the sum is above that of a normal run.
 * @returns undefined when the device was created without `timestamp-query`.
 */
export async function profile(
  memory: Memory,
  program: Program,
): Promise<readonly KernelTime[] | undefined> {
  const { device } = memory;
  if (!device.features.has('timestamp-query')) return undefined;
  const times = new Map<string, { dispatches: number; us: number }>();
  const perSet = MAX_QUERIES / 2;
  for (let first = 0; first < program.steps.length; first += perSet) {
    const steps = program.steps.slice(first, first + perSet);
    const nanoseconds = await timeSteps(memory, steps);
    for (const [i, { label }] of steps.entries()) {
      const time = times.get(label) ?? { dispatches: 0, us: 0 };
      time.dispatches++;
      time.us += Number((nanoseconds[2 * i + 1] ?? 0n) - (nanoseconds[2 * i] ?? 0n)) / 1000;
      times.set(label, time);
    }
  }
  return [...times].map(([label, time]) => ({ label, ...time })).sort((a, b) => b.us - a.us);
}

async function timeSteps(memory: Memory, steps: Program['steps']): Promise<BigUint64Array> {
  const { device } = memory;
  const count = steps.length * 2;
  const querySet = device.createQuerySet({ label: 'profile', type: 'timestamp', count });
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const resolved = memory.create('staging', 'profile', count * 8, usage);
  try {
    const encoder = device.createCommandEncoder({ label: 'profile' });
    for (const [i, { pipeline, group, workgroups, label }] of steps.entries()) {
      const [beginningOfPassWriteIndex, endOfPassWriteIndex] = [2 * i, 2 * i + 1];
      const timestampWrites = { querySet, beginningOfPassWriteIndex, endOfPassWriteIndex };
      const pass = encoder.beginComputePass({ label, timestampWrites });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
      pass.end();
    }
    encoder.resolveQuerySet(querySet, 0, count, resolved, 0);
    device.queue.submit([encoder.finish()]);
    return new BigUint64Array(await readBuffer(memory, resolved));
  } finally {
    querySet.destroy();
    memory.free([resolved]);
  }
}
