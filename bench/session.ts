/** What suites share: settings, the adapter they all must run on, and the limits measured on it. */
import type { MatrixDType } from '../kernels/kernel.ts';
import { Memory } from '../src/gpu/memory.ts';
import { warmUsOf } from '../src/gpu/sample.ts';
import { type Stopwatch, stopwatch } from '../src/gpu/stopwatch.ts';
import { adapterFacts, chooseWeightDtype } from '../src/gpu/variants.ts';
import { watchDevice } from '../src/gpu/watch.ts';
import { precisionFor } from '../src/load/precision.ts';
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

export class Session {
  readonly environment: Environment;
  readonly settings: Settings;
  /** Lines a user should see about the adapter. */
  readonly notes: readonly string[];
  /** Says what is being measured. */
  readonly note: (line: string) => void;
  readonly #open: () => Promise<NodeDevice>;
  /** Kept for as long as the process: a Dawn instance that is collected can take others with it. */
  readonly #opened: NodeDevice[] = [];
  #limits: Promise<Limits> | undefined;

  private constructor(
    settings: Settings,
    first: NodeDevice,
    open: () => Promise<NodeDevice>,
    note: (line: string) => void,
  ) {
    this.settings = settings;
    this.note = note;
    this.environment = environmentOf(first);
    this.notes = first.notes;
    this.#opened.push(first);
    this.#open = open;
  }

  /** @param open Opens a device; tests give others. */
  static async start(
    settings: Settings,
    open: () => Promise<NodeDevice> = () => openDevice({ validation: false }),
    note: (line: string) => void = () => {},
  ): Promise<Session> {
    const first = await open();
    try {
      return new Session(settings, first, open, note);
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
    const { weights, kv: kvDtype, precision } = this.settings;
    const dtype: MatrixDType = weights ?? chooseWeightDtype(adapterFacts(device), 'f16');
    const { variant, tiles } = this.environment;
    return precisionFor(device, { variant, tiles, precision, kvDtype }, { dtype });
  }

  /**
   * Runs `work` on a new device, and closes it.
   * @throws Refusal when the adapter is not the one the run began with; DeviceError when the device
   * fails or is lost meanwhile.
   */
  async use<T>(work: (d: BenchDevice) => Promise<T>): Promise<T> {
    const opened = await this.#open();
    this.#opened.push(opened);
    const { device, close } = opened;
    const memory = new Memory(device);
    try {
      const difference = adapterDifference(this.environment, environmentOf(opened));
      if (difference) throw new Refusal(`the adapter changed during the run: ${difference}`);
      // Begun inside the race, which else would miss errors of the first calls.
      const begun = Promise.resolve({ device, memory, clock: stopwatch(memory) }).then(work);
      return await watchDevice(device).race(begun);
    } finally {
      memory.freeAll();
      close();
    }
  }

  /** Whether limits were measured. */
  get measured(): boolean {
    return this.#limits !== undefined;
  }

  /** Measured once a run, on the adapter of the run. */
  limits(): Promise<Limits> {
    if (!this.#limits) this.note('limits of this machine');
    this.#limits ??= this.use(measureMachine);
    return this.#limits;
  }
}
