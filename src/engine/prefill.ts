/** Captions into the slots of requests: condition tokens, and their keys and values, many rows at a time. */
import { NO_ROW, packRows } from '../../kernels/lib/row-table.ts';
import { build, type Program } from '../gpu/program.ts';
import { adapterFacts } from '../gpu/variants.ts';
import { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Network } from '../load/network.ts';
import { noCondition } from '../models/gpt.ts';
import { captionRows, gptPrefill, uncondRows } from '../models/gpt-caption.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import type { Pace } from './feed.ts';
import {
  type Captioned,
  nextRows,
  type PrefillShape,
  type ProjectedToken,
  prefillShape,
  rowsToFill,
  tokensOf,
} from './plan-prefill.ts';
import type { Slots } from './slots.ts';

/** A pass of some rows, which takes its share of what is left. */
export interface PrefillPass {
  readonly program: Pick<Program, 'run'>;
  readonly pace: Pace;
  /** Writes what the pass is about. */
  write(): void;
}

/** A program, what is written for it, and how long it takes. */
interface Filler<T> {
  readonly program: Program;
  readonly inputs: T;
  readonly pace: Pace;
}

export class Prefill {
  readonly #network: Network<GptConfig>;
  readonly #slots: Slots;
  readonly #shape: PrefillShape;
  /** What is made once, or a promise of it until it is there. */
  readonly #known = new Map<string, unknown>();
  readonly #programs = new Set<Program>();
  #destroyed = false;

  constructor(
    network: Network<GptConfig>,
    slots: Slots,
    shape: PrefillShape = prefillShape(adapterFacts(network.memory.device).software),
  ) {
    this.#network = network;
    this.#slots = slots;
    this.#shape = shape;
  }

  /** Builds what prefilling captions waits for otherwise. */
  async prepare(all: readonly Pick<Captioned, 'uncondSlot' | 'caption'>[]): Promise<void> {
    const { config } = this.#network;
    const captioned = all.map((one) => ({ ...one, slot: 0 }));
    const tokens = captioned.reduce((sum, { caption }) => sum + caption.tokens, 0);
    const rows = captioned.flatMap((one) => rowsToFill(config, this.#slots.count, one)).length;
    await this.#ready();
    for (const count of countsOf(tokens, this.#shape)) await this.#projector(count);
    for (const count of countsOf(rows, this.#shape)) await this.#filler(count);
  }

  /**
   * The passes that captions need, in order, or a promise where the next one is to be built first: it is asked for
   * again when that is done.
   * @param isGone Whether nobody waits for one any more: its rows are left out from then on.
   */
  *passes<T extends Captioned>(
    captioned: readonly T[],
    isGone: (one: T) => boolean = () => false,
  ): Generator<PrefillPass | Promise<unknown>, void> {
    const { config } = this.#network;
    for (let ready = this.#ready(); ready instanceof Promise; ready = this.#ready()) yield ready;
    const tokens = new Rest(captioned, (one) => tokensOf(config, one), isGone);
    for (let left = tokens.count(); left > 0; left = tokens.count()) {
      const count = nextRows(left, this.#shape);
      const projector = this.#projector(count);
      if (projector instanceof Promise) {
        yield projector;
        continue; // some may be gone
      }
      const { program, inputs, pace } = projector;
      const taken = tokens.take(count);
      yield { program, pace, write: () => this.#writeTokens(program, inputs, count, taken) };
    }
    const rows = new Rest(captioned, (one) => rowsToFill(config, this.#slots.count, one), isGone);
    for (let left = rows.count(); left > 0; left = rows.count()) {
      const count = nextRows(left, this.#shape);
      const filler = this.#filler(count);
      if (filler instanceof Promise) {
        yield filler;
        continue;
      }
      const { program, pace } = filler;
      const taken = rows.take(count);
      yield { program, pace, write: () => this.#slots.write('rows', packRows(taken, count)) };
    }
  }

  /** Runs all of them, one after another. */
  async run(captioned: readonly Captioned[]): Promise<void> {
    const { memory, watch } = this.#network;
    for (const pass of this.passes(captioned)) {
      if (pass instanceof Promise) await pass;
      else {
        const written = memory.checked('writing captions', pass.write);
        await watch.race(Promise.all([written, pass.program.run()]));
      }
    }
  }

  destroy(): void {
    this.#destroyed = true;
    for (const program of this.#programs) program.destroy();
    this.#programs.clear();
  }

  /** What stands for no caption is at its place for all slots. */
  #ready() {
    return this.#once('no caption', () => this.#placeNoCaption());
  }

  async #placeNoCaption(): Promise<true> {
    const { memory, config, precision, watch } = this.#network;
    const { queue } = memory.device;
    const slots = this.#slots.count;
    const { program, inputs } = await this.#made((g) => uncondRows(g, config, slots, precision));
    const first = noCondition(config, slots);
    const lines = Uint32Array.from({ length: config.clsTokenNum }, (_, i) => first + i);
    try {
      const written = memory.checked('placing what stands for no caption', () =>
        queue.writeBuffer(program.bufferOf(inputs.places), 0, lines),
      );
      await watch.race(Promise.all([written, program.run(), queue.onSubmittedWorkDone()]));
    } finally {
      program.destroy();
      this.#programs.delete(program);
    }
    return true;
  }

  #writeTokens(
    program: Program,
    { features, places }: { readonly features: Tensor; readonly places: Tensor },
    count: number,
    tokens: readonly ProjectedToken[],
  ): void {
    const { captionDim } = this.#network.config;
    const { queue } = this.#network.memory.device;
    const values = new Float32Array(count * captionDim);
    const lines = new Uint32Array(count).fill(NO_ROW);
    for (const [i, { features: own, place }] of tokens.entries()) {
      values.set(own, i * captionDim);
      lines[i] = place;
    }
    queue.writeBuffer(program.bufferOf(features), 0, values);
    queue.writeBuffer(program.bufferOf(places), 0, lines);
  }

  #projector(rows: number) {
    const { config, precision } = this.#network;
    const pass = { rows, slots: this.#slots.count };
    return this.#once(`project ${rows}`, () =>
      this.#made((g) => captionRows(g, config, pass, precision)),
    );
  }

  #filler(rows: number) {
    const { config, precision } = this.#network;
    const pass = { rows, slots: this.#slots.count };
    return this.#once(`fill ${rows}`, () =>
      this.#made((g) => gptPrefill(g, config, pass, precision)),
    );
  }

  /** Makes something at first need; what could not be made is tried again. */
  #once<T>(what: string, make: () => Promise<T>): T | Promise<T> {
    const known = this.#known.get(what) as T | Promise<T> | undefined;
    if (known !== undefined) return known;
    const making = make();
    this.#known.set(what, making);
    making.then(
      (made) => this.#known.set(what, made),
      () => this.#known.delete(what),
    );
    return making;
  }

  async #made<T>(define: (g: Graph) => T): Promise<Filler<T>> {
    const { memory, watch, weights } = this.#network;
    const g = new Graph();
    const inputs = define(g);
    const states = this.#slots.buffers;
    const program = await watch.race(build(memory, g, { weights, states }));
    if (this.#destroyed) program.destroy();
    else this.#programs.add(program);
    return { program, inputs, pace: { msPerStep: undefined, encode: { ms: 0, steps: 0 } } };
  }
}

/** Rows of passes that so many rows are cut into, each once. */
function countsOf(rows: number, shape: PrefillShape): readonly number[] {
  const counts = new Set<number>();
  for (let left = rows; left > 0; ) {
    const count = nextRows(left, shape);
    counts.add(count);
    left -= count;
  }
  return [...counts];
}

/** What is left of some requests. */
class Rest<T, R> {
  readonly #isGone: (one: T) => boolean;
  #items: { readonly of: T; readonly item: R }[];

  constructor(all: readonly T[], itemsOf: (one: T) => readonly R[], isGone: (one: T) => boolean) {
    this.#items = all.flatMap((of) => itemsOf(of).map((item) => ({ of, item })));
    this.#isGone = isGone;
  }

  /** How much is left of those that somebody waits for. */
  count(): number {
    this.#items = this.#items.filter(({ of }) => !this.#isGone(of));
    return this.#items.length;
  }

  take(count: number): R[] {
    return this.#items.splice(0, count).map(({ item }) => item);
  }
}
