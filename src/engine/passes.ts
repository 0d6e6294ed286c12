/** The programs of a decoder over its slots, one for each number of rows, built at first need. */
import type { Memory } from '../gpu/memory.ts';
import { build, type Program } from '../gpu/program.ts';
import { adapterFacts } from '../gpu/variants.ts';
import { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Network } from '../load/network.ts';
import { type GptDecoder, gptDecoder } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import { bestWindow } from './best-window.ts';
import type { Pace } from './feed.ts';
import type { Slots } from './slots.ts';

/** Before a program is tried again that could not be built, as where there is no memory. */
const RETRY_MS = 5000;

/** A decoder for passes of some rows. */
export interface PassProgram {
  readonly rows: number;
  readonly program: Program;
  /** Passes with rows that have yet to be placed. */
  readonly placing: Pick<Program, 'run'>;
  /** Handles of what the program's buffers hold. */
  readonly gpt: GptDecoder;
  readonly pace: Pace;
}

/**
 * Builds the decoder for passes of `rows` over slots. It is the caller's: destroy its program.
 * @param keep Whether logits and probabilities can be read.
 */
export async function passProgram(
  network: Network<GptConfig>,
  slots: Slots,
  rows: number,
  keep = false,
): Promise<PassProgram> {
  const { memory, config, precision, watch, weights } = network;
  const g = new Graph();
  const gpt = gptDecoder(g, config, { rows, slots: slots.count, keep }, precision);
  const kept = Object.values<Tensor>({ ...gpt.kept });
  const options = { weights, states: slots.buffers, keep: kept };
  const program = await watch.race(build(memory, g, options));
  const pace = { msPerStep: undefined, encode: { ms: 0, steps: 0 } };
  return { rows, program, placing: placing(memory, program), gpt, pace };
}

/** A program whose last step runs before all others too: with nothing drawn, all that it does is placing rows. */
function placing(memory: Memory, { steps, encode, encodeStep }: Program): Pick<Program, 'run'> {
  const { device } = memory;
  return {
    run: (times = 1, timestampWrites) =>
      memory.checked('running the passes', () => {
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
        encodeStep(pass, steps.length - 1);
        for (let i = 0; i < times; i++) encode(pass);
        pass.end();
        device.queue.submit([encoder.finish()]);
      }),
  };
}

/** Numbers of rows that programs are built for: powers of two, and one for each slot. */
export function rowCounts(slots: number, mostRows: number): number[] {
  const counts = new Set([slots, mostRows]);
  for (let rows = 1; rows < mostRows; rows *= 2) counts.add(rows);
  return [...counts].sort((a, b) => a - b);
}

/** Rows of the program to take among those that are built; undefined where another should be. */
export function rowsFor(
  needed: number,
  wanted: number,
  built: readonly number[],
  software: boolean,
): number | undefined {
  const enough = built.filter((rows) => rows >= needed).sort((a, b) => a - b);
  const filled = enough.findLast((rows) => rows <= wanted);
  const [least] = enough;
  if (filled !== undefined || least === undefined) return filled;
  return software && least >= 2 * needed ? undefined : least;
}

export class Passes {
  readonly #network: Network<GptConfig>;
  readonly #slots: Slots;
  readonly #built = new Map<number, PassProgram>();
  readonly #building = new Map<number, Promise<PassProgram>>();
  readonly #software: boolean;
  readonly #counts: readonly number[];
  /** When programs could not be built, by their rows: those that requests would fill, and those that may be of use. */
  readonly #failedAt = { wanted: new Map<number, number>(), others: new Map<number, number>() };
  #destroyed = false;

  constructor(network: Network<GptConfig>, slots: Slots) {
    this.#counts = rowCounts(slots.count, slots.mostRows);
    this.#network = network;
    this.#slots = slots;
    this.#software = adapterFacts(network.memory.device).software;
  }

  /**
   * The window that pays.
   * @param rowsOf Rows of a pass with a window; those that no pass can have are not looked at.
   */
  bestWindow(rowsOf: (window: number) => number): number {
    if (this.#software) return 1; // arithmetic is the bound, and rows cost in full
    const built = [...this.#built.values()].map(({ rows, pace }) => {
      return { rows, passes: pace.encode.steps, msPerPass: pace.msPerStep };
    });
    return bestWindow({ config: this.#network.config, counts: this.#counts, built, rowsOf });
  }

  /** Rows of the largest program there is. */
  get largest(): number {
    return Math.max(0, ...this.#built.keys());
  }

  /**
   * As `for`, but at once: where another program should be built, that is begun, and one that is too large
   * serves meanwhile, or the largest that has the `least` rows.
   * @returns undefined where none has.
   */
  now(least: number, needed: number, wanted: number): PassProgram | undefined {
    const built = [...this.#built.keys()].sort((a, b) => a - b);
    const best = rowsFor(needed, wanted, built, this.#software);
    if (best === undefined && built.length > 0) this.begin(needed);
    // Given tokens pass sooner where a pass has more of them.
    const filled = this.#counts.findLast((rows) => rows <= wanted) ?? 0;
    if (!this.#software && filled > needed && built.length > 0) this.begin(filled);
    const meanwhile = built.find((rows) => rows >= needed) ?? built.findLast((n) => n >= least);
    const rows = best ?? meanwhile;
    return rows === undefined ? undefined : this.#built.get(rows);
  }

  /** Begins to build the program for so many rows, if there is none. */
  begin(rows: number): void {
    void this.#tryBuild(this.#counts.find((n) => n >= rows) ?? rows, this.#failedAt.wanted);
  }

  /**
   * The smallest program there is for so many rows. Where there is none, or on a software adapter, whose
   * time grows with the rows, none below twice as many, one is built.
   */
  async for(needed: number): Promise<PassProgram> {
    const rows = rowsFor(needed, needed, [...this.#built.keys()], this.#software);
    const there = rows === undefined ? undefined : this.#built.get(rows);
    if (there) return there;
    const count = this.#counts.find((n) => n >= needed);
    if (count === undefined) throw new RangeError(`${needed} rows of ${this.#slots.mostRows}`);
    return this.#build(count);
  }

  /** Builds what is not there yet, one after another, where more programs make passes faster. */
  async buildOthers(): Promise<void> {
    if (this.#software) return;
    const largest = Math.max(this.#slots.count, ...this.#built.keys());
    for (const rows of this.#counts.filter((n) => n <= largest)) {
      if (this.#destroyed) return;
      const isThere = await this.#tryBuild(rows, this.#failedAt.others);
      if (!isThere) return; // more rows take more memory
    }
  }

  destroy(): void {
    this.#destroyed = true;
    for (const { program } of this.#built.values()) program.destroy();
    this.#built.clear();
  }

  /**
   * Builds what nobody waits for, unless it could not be built a moment ago: those there are will do.
   * @returns Whether it is there.
   */
  async #tryBuild(rows: number, failedAt: Map<number, number>): Promise<boolean> {
    if (this.#built.has(rows)) return true;
    const at = failedAt.get(rows) ?? Number.NEGATIVE_INFINITY;
    if (!this.#building.has(rows) && performance.now() - at < RETRY_MS) return false;
    try {
      await this.#build(rows);
      return true;
    } catch {
      failedAt.set(rows, performance.now());
      return false;
    }
  }

  #build(rows: number): Promise<PassProgram> {
    const begun = this.#building.get(rows);
    if (begun) return begun;
    const building = passProgram(this.#network, this.#slots, rows)
      .then((pass) => {
        if (this.#destroyed) pass.program.destroy();
        else this.#built.set(rows, pass);
        return pass;
      })
      .finally(() => this.#building.delete(rows));
    this.#building.set(rows, building);
    return building;
  }
}
