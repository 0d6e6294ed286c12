/** Follows a run: what JavaScript and the device did when, and which kernels took how long. */
import { DeviceError } from '../errors.ts';
import { Memory } from './memory.ts';
import { type DispatchTime, type KernelTime, timeDispatches, timesByKernel } from './profile.ts';
import type { Program } from './program.ts';
import { hasTimestamps, type PassTime, Timeline } from './timeline.ts';
import { chromeTrace, type Span } from './trace.ts';

/** The mean of the timed runs of a program. */
export interface ProgramProfile {
  readonly name: string;
  /** Runs that were timed dispatch by dispatch. */
  readonly runs: number;
  /** The longest first. */
  readonly kernels: readonly KernelTime[];
}

/** Looks at both clocks. */
const CALIBRATIONS = 5;

export class Profiler {
  /** Microseconds from the device's clock to that of `performance.now()`. */
  readonly #offsetUs: number;
  readonly #host: Span[] = [];
  readonly #device: Span[] = [];
  readonly #runs = new Map<string, DispatchTime[][]>();

  private constructor(offsetUs: number) {
    this.#offsetUs = offsetUs;
  }

  /**
   * Starts a profile.
   * @throws DeviceError (`limit`) when the device has no timestamps.
   */
  static async open(device: GPUDevice): Promise<Profiler> {
    if (!hasTimestamps(device)) {
      throw new DeviceError(
        'limit',
        'no profile: this adapter cannot tell times (it lacks the feature "timestamp-query")',
      );
    }
    return new Profiler(await clockOffset(new Memory(device)));
  }

  /** Begins a phase of JavaScript; the result ends it. */
  begin(name: string): () => void {
    const beginUs = hostUs();
    return () => {
      this.#host.push({ name, beginUs, endUs: hostUs() });
    };
  }

  /** A phase of JavaScript from here to when `work` settles. */
  async phase<T>(name: string, work: () => Promise<T>): Promise<T> {
    const end = this.begin(name);
    try {
      return await work();
    } finally {
      end();
    }
  }

  /** Adds passes that the device ran. */
  addPasses(names: readonly string[], times: readonly PassTime[]): void {
    for (const [i, { beginUs, endUs }] of times.entries()) {
      this.#addDevice(names[i] ?? '', beginUs, endUs);
    }
  }

  /** Runs a program once and times every dispatch. Runs of one name are one program's. */
  async run(memory: Memory, program: Program, name: string): Promise<void> {
    const end = this.begin(`profile ${name}`);
    const times = await timeDispatches(memory, program);
    end();
    this.#runs.set(name, [...(this.#runs.get(name) ?? []), times]);
    for (const { step, beginUs, endUs } of times) {
      const { bytes, operations } = step.cost;
      this.#addDevice(step.label, beginUs, endUs, { bytes, operations });
    }
  }

  get programs(): readonly ProgramProfile[] {
    return [...this.#runs].map(([name, runs]) => ({
      name,
      runs: runs.length,
      kernels: timesByKernel(runs),
    }));
  }

  /** The text of a trace file; see `chromeTrace`. */
  trace(): string {
    return chromeTrace('llamagen', [
      { name: 'JavaScript', spans: this.#host },
      { name: 'GPU', spans: this.#device },
    ]);
  }

  /** On one track nothing may overlap, and the clock's steps make neighbours do so by a little. */
  #addDevice(name: string, beginUs: number, endUs: number, facts?: Span['facts']): void {
    const least = this.#device.at(-1)?.endUs ?? Number.NEGATIVE_INFINITY;
    const begin = Math.max(beginUs + this.#offsetUs, least);
    const end = Math.max(endUs + this.#offsetUs, begin);
    this.#device.push({ name, beginUs: begin, endUs: end, facts });
  }
}

const hostUs = (): number => performance.now() * 1000;

/**
 * A pass begins after its submit and ends before the host hears of it: each look bounds the offset
 * from both sides, and the middle of the narrowest bounds is taken.
 */
async function clockOffset(memory: Memory): Promise<number> {
  const { device } = memory;
  const timeline = await memory.make('timeline', () => new Timeline(memory, 1));
  let [least, most] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  try {
    for (let i = 0; i < CALIBRATIONS; i++) {
      const timestampWrites = timeline.next();
      let submitted = 0;
      const accepted = memory.checked('clock', () => {
        const encoder = device.createCommandEncoder({ label: 'clock' });
        encoder.beginComputePass(timestampWrites && { timestampWrites }).end();
        const commands = encoder.finish();
        submitted = hostUs();
        device.queue.submit([commands]);
      });
      await device.queue.onSubmittedWorkDone();
      const done = hostUs();
      await accepted;
      const [{ beginUs, endUs } = { beginUs: 0, endUs: 0 }] = await timeline.read();
      least = Math.max(least, submitted - beginUs);
      most = Math.min(most, done - endUs);
    }
    return (least + most) / 2;
  } finally {
    timeline.destroy();
  }
}
