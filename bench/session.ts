/** What suites share: settings, the adapter they all must run on, and the limits measured on it. */
import type { MatrixDType } from '../kernels/kernel.ts';
import { Memory } from '../src/gpu/memory.ts';
import { warmUsOf } from '../src/gpu/sample.ts';
import { type Stopwatch, stopwatch } from '../src/gpu/stopwatch.ts';
import { adapterFacts, chooseWeightDtype } from '../src/gpu/variants.ts';
import { watchDevice } from '../src/gpu/watch.ts';
import { type PrecisionOptions, precisionFor } from '../src/load/precision.ts';
import type { Precision } from '../src/models/precision.ts';
import { type NodeDevice, openDevice } from '../src/node/device.ts';
import { adapterDifference, type Environment, environmentOf } from './environment.ts';
import { type Limits, measureMachine } from './limits.ts';
import { Refusal } from './refusal.ts';
import type { Settings } from './settings.ts';

/** A device of one suite. */
export interface BenchDevice {
  readonly device: GPUDevice;
  readonly memory: Memory;
  readonly clock: Stopwatch;
}

/** How long kernels are timed, and what they read: software adapters are about 1000 times slower. */
export interface Effort {
  readonly runs: number;
  /** Length of a timed pass, and of the work before the first. */
  readonly leastUs: number;
  readonly warmUs: number;
  /** Bytes of weights read in turn: more than any cache holds. */
  readonly coldBytes: number;
}

/** The best of fewer passes is chance. */
const LEAST_RUNS = 5;

/** What all sessions of a run share. */
interface Run {
  readonly environment: Environment;
  readonly notes: readonly string[];
  readonly note: (line: string) => void;
  readonly open: () => Promise<NodeDevice>;
  /** Kept for as long as the process: a Dawn instance that is collected can take others with it. */
  readonly opened: NodeDevice[];
  limits?: Promise<Limits>;
}

export class Session {
  readonly settings: Settings;
  /** Says what is being measured. */
  readonly note: (line: string) => void;
  readonly #run: Run;

  private constructor(settings: Settings, run: Run) {
    this.settings = settings;
    this.note = run.note;
    this.#run = run;
  }

  get environment(): Environment {
    return this.#run.environment;
  }

  /** Lines a user should see about the adapter. */
  get notes(): readonly string[] {
    return this.#run.notes;
  }

  /** The same run with some settings changed. */
  with(changed: Partial<Settings>): Session {
    return new Session({ ...this.settings, ...changed }, this.#run);
  }

  /** @param open Opens a device; tests give others. */
  static async start(
    settings: Settings,
    open: () => Promise<NodeDevice> = () => openDevice({ validation: false }),
    note: (line: string) => void = () => {},
  ): Promise<Session> {
    const first = await open();
    try {
      const { notes } = first;
      const run = { environment: environmentOf(first), notes, note, open, opened: [first] };
      return new Session(settings, run);
    } finally {
      first.close();
    }
  }

  /** Whether the adapter computes on the CPU: then cases are fewer and shorter. */
  get software(): boolean {
    return this.environment.adapter.software;
  }

  get effort(): Effort {
    const { runs, quick } = this.settings;
    return {
      runs: Math.max(runs, LEAST_RUNS),
      leastUs: this.software ? (quick ? 5_000 : 20_000) : 4_000,
      warmUs: warmUsOf(this.software),
      coldBytes: this.software ? 64e6 : 512e6,
    };
  }

  /** How decoders are built on a device when nothing is loaded: as f16 files are, unless asked otherwise. */
  precision(device: GPUDevice): Precision {
    const { weights } = this.settings;
    const dtype: MatrixDType = weights ?? chooseWeightDtype(adapterFacts(device), 'f16');
    return precisionFor(device, this.loading, { dtype });
  }

  /** How models are loaded. */
  get loading(): Pick<PrecisionOptions, 'variant' | 'tiles' | 'precision' | 'kvDtype'> {
    const { kv: kvDtype, precision, matrix = true } = this.settings;
    const { variant, tiles } = this.environment;
    // Without matrices what was measured with them is not chosen either.
    return matrix
      ? { variant, tiles, precision, kvDtype }
      : {
          ...{ precision, kvDtype },
          variant: { ...variant, matrix: undefined },
          tiles: Object.fromEntries(
            Object.entries(tiles).filter(([, tile]) => tile.math !== 'matrix'),
          ),
        };
  }

  /**
   * Runs `work` on a new device, and closes it.
   * @throws Refusal when the adapter is not the one the run began with; DeviceError when the device
   * fails or is lost meanwhile.
   */
  async use<T>(work: (d: BenchDevice) => Promise<T>): Promise<T> {
    const opened = await this.#run.open();
    this.#run.opened.push(opened);
    const { device, close } = opened;
    const memory = new Memory(device);
    try {
      const difference = adapterDifference(this.environment, environmentOf(opened));
      if (difference) throw new Refusal(`the adapter changed during the run: ${difference}`);
      // Begun inside the race, which else would miss errors of the first calls.
      const begun = stopwatch(memory).then((clock) => work({ device, memory, clock }));
      return await watchDevice(device).race(begun);
    } finally {
      memory.freeAll();
      close();
    }
  }

  /** Whether limits were measured. */
  get measured(): boolean {
    return this.#run.limits !== undefined;
  }

  /** Measured once a run, on the adapter of the run. */
  limits(): Promise<Limits> {
    if (!this.#run.limits) this.note('limits of this machine');
    this.#run.limits ??= this.use(measureMachine);
    return this.#run.limits;
  }
}
