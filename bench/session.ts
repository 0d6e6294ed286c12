/** What suites share: settings, the adapter they all must run on, and the limits measured on it. */
import { Memory } from '../src/gpu/memory.ts';
import { watchDevice } from '../src/gpu/watch.ts';
import { type NodeDevice, openDevice } from '../src/node/device.ts';
import { type Environment, environmentOf } from './environment.ts';
import { Clock } from './gpu/clock.ts';
import { type Limits, measureLimits } from './limits/measure.ts';
import { Refusal } from './refusal.ts';
import type { Settings } from './settings.ts';

/** A device of one suite. */
export interface BenchDevice {
  readonly device: GPUDevice;
  readonly memory: Memory;
  readonly clock: Clock;
}

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
    open: () => Promise<NodeDevice> = openDevice,
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
      this.checkAdapter(opened);
      // Begun inside the race, which else would miss errors of the first calls.
      const begun = Promise.resolve({ device, memory, clock: new Clock(memory) }).then(work);
      return await watchDevice(device).race(begun);
    } finally {
      memory.freeAll();
      close();
    }
  }

  /** @throws Refusal when a device is of another adapter than the first. */
  checkAdapter(opened: NodeDevice): void {
    const difference = adapterDifference(this.environment, environmentOf(opened));
    if (difference) throw new Refusal(`the adapter changed during the run: ${difference}`);
  }

  /** Whether limits were measured. */
  get measured(): boolean {
    return this.#limits !== undefined;
  }

  /** Measured once a run, on the adapter of the run. */
  limits(): Promise<Limits> {
    if (!this.#limits) this.note('limits of this machine');
    this.#limits ??= this.use((d) => measureLimits(d, this.software, this.settings));
    return this.#limits;
  }
}

/** What differs between two adapters, as `device "a" became "b"`, or undefined. */
export function adapterDifference(
  before: Pick<Environment, 'adapter' | 'features' | 'toggles' | 'variant'>,
  now: Pick<Environment, 'adapter' | 'features' | 'toggles' | 'variant'>,
): string | undefined {
  const facts = ({ adapter, features, toggles, variant }: typeof before) => ({
    ...adapter,
    features: features.join(' '),
    toggles: toggles.join(' '),
    variant: JSON.stringify(variant),
  });
  const then = Object.entries(facts(before));
  const current: Readonly<Record<string, unknown>> = facts(now);
  const changed = then.find(([name, value]) => current[name] !== value);
  return changed && `${changed[0]} "${changed[1]}" became "${current[changed[0]]}"`;
}
