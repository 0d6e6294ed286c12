/** Time per kernel, by timestamps on the device. */
import type { Cost } from '../../kernels/kernel.ts';
import { type DeviceLimits, floorUs } from './limits.ts';
import type { Memory } from './memory.ts';
import type { Program, Step } from './program.ts';
import { hasTimestamps, MAX_PASSES, type PassTime, Timeline } from './timeline.ts';

/** One dispatch of a program, timed. */
export interface DispatchTime extends PassTime {
  readonly step: Step;
}

/** All dispatches of one kernel in one run of a program, and the least work they can be done with. */
export interface KernelTime extends Cost {
  /** The kernel's label. */
  readonly label: string;
  readonly dispatches: number;
  /** Time on the device, all dispatches together. */
  readonly us: number;
}

/**
 * Runs a program once with every dispatch in a pass of its own, and says where the time went, the
 * longest first. Passes cost time of their own, so the sum is above that of a normal run.
 * @returns undefined when the device was created without `timestamp-query`.
 */
export async function profile(
  memory: Memory,
  program: Program,
): Promise<readonly KernelTime[] | undefined> {
  if (!hasTimestamps(memory.device)) return undefined;
  return timesByKernel([await timeDispatches(memory, program)]);
}

/** Runs a program once with every dispatch in a pass of its own. The device must have timestamps. */
export async function timeDispatches(memory: Memory, program: Program): Promise<DispatchTime[]> {
  const { device } = memory;
  const room = Math.min(program.steps.length, MAX_PASSES);
  const timeline = await memory.make('timeline', () => new Timeline(memory, room));
  const times: DispatchTime[] = [];
  try {
    for (let first = 0; first < program.steps.length; first += MAX_PASSES) {
      const steps = program.steps.slice(first, first + MAX_PASSES);
      await memory.checked('profile', () => {
        const encoder = device.createCommandEncoder({ label: 'profile' });
        for (const [i, { label }] of steps.entries()) {
          const timestampWrites = timeline.next();
          const pass = encoder.beginComputePass({
            label,
            ...(timestampWrites && { timestampWrites }),
          });
          program.encodeStep(pass, first + i);
          pass.end();
        }
        device.queue.submit([encoder.finish()]);
      });
      const passes = await timeline.read();
      for (const [i, step] of steps.entries()) {
        const { beginUs = 0, endUs = 0 } = passes[i] ?? {};
        times.push({ step, beginUs, endUs });
      }
    }
    return times;
  } finally {
    timeline.destroy();
  }
}

/** Adds up runs of one program by kernel, the longest first: the mean of one run. */
export function timesByKernel(runs: readonly (readonly DispatchTime[])[]): KernelTime[] {
  const sums = new Map<
    string,
    { dispatches: number; us: number; bytes: number; operations: number }
  >();
  for (const { step, beginUs, endUs } of runs.flat()) {
    const sum = sums.get(step.label) ?? { dispatches: 0, us: 0, bytes: 0, operations: 0 };
    sum.dispatches += 1 / runs.length;
    sum.us += (endUs - beginUs) / runs.length;
    sum.bytes += step.cost.bytes / runs.length;
    sum.operations += step.cost.operations / runs.length;
    sums.set(step.label, sum);
  }
  return [...sums]
    .map(([label, sum]) => ({ label, ...sum, dispatches: Math.round(sum.dispatches) }))
    .sort((a, b) => b.us - a.us);
}

/**
 * How near to the least possible time kernels come, 0 to 1. Above 1 where the caches hold what the
 * limits' copy had to fetch from memory.
 */
export const shareOfFloor = (time: Cost & { readonly us: number }, limits: DeviceLimits): number =>
  time.us > 0 ? floorUs(time, limits) / time.us : 0;
