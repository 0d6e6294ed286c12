/**
 * `engine`: requests side by side on one engine against one at a time, and what traffic of random arrivals makes of
 * each: how soon it starts, and how long it takes beside what one of a full batch takes.
 */
import { readModelJson } from '../src/cli/models.ts';
import { createEngine, type Engine, type ImageRequest } from '../src/engine/index.ts';
import { loadModel } from '../src/index.ts';
import { openFolder } from '../src/node/files.ts';
import { uniform } from '../test/support/random.ts';
import { classOf, SEED } from './model/batch.ts';
import { SameCheck } from './same-check.ts';
import type { Session } from './session.ts';
import { formatNumber, type Row, type Table } from './table.ts';

/** Guided images that are asked for at once. */
const BATCHES = { quick: [4], all: [1, 2, 4, 8, 16] };
/** Of those, how many are drawn one at a time: the others take as long. */
const ONE_BY_ONE = 4;
/** Requests of the traffic, and the part of what the engine can take that arrives. */
const ARRIVALS = { quick: 4, all: 40 };
const LOAD = 0.7;
/** Queued ahead, in milliseconds, as in a server. */
const AHEAD_MS = 30;

export interface BatchResult {
  readonly images: number;
  /** Of each round: one at a time without windows, one at a time with those that pay, all at once. */
  readonly rounds: readonly {
    readonly plain: number;
    readonly auto: number;
    readonly ms: number;
  }[];
}

export interface TrafficResult {
  readonly requests: number;
  /** Milliseconds of a pass of the fullest batch. */
  readonly passMs: number;
  /** From the submit to the `started` event of requests that found slots, and to the first token. */
  readonly startMs: readonly number[];
  readonly firstTokenMs: readonly number[];
  /** How long each took from its start, over what one of a batch as full as the fullest it shared takes. */
  readonly slowdowns: readonly number[];
  /** JavaScript time of deciding what to run, over the time in which passes ran. */
  readonly scheduleShare: number;
  /** Of rows that were computed, those that belonged to a request. */
  readonly fullRows: number;
}

export interface EngineResult {
  readonly model: string;
  readonly batches: readonly BatchResult[];
  readonly traffic: TrafficResult;
}

/** @throws Error when a request has other tokens in company than alone. */
export async function measureEngine(session: Session): Promise<EngineResult> {
  const { model: folder, quick, runs } = session.settings;
  const files = openFolder(folder);
  const config = await readModelJson(files);
  const measured = await session.use(async ({ device }) => {
    const model = await loadModel(device, files, session.loading);
    const engine = await createEngine(model, { capacity: 32, aheadMs: AHEAD_MS });
    const bench = new EngineBench(engine, config.gpt.numClasses);
    const batches: BatchResult[] = [];
    for (const images of quick ? BATCHES.quick : BATCHES.all) {
      session.note(`${images} images at once`);
      batches.push(await bench.batch(images, quick ? 1 : runs, session.software));
    }
    session.note('traffic');
    const traffic = await bench.traffic(quick ? ARRIVALS.quick : ARRIVALS.all, batches);
    engine.destroy();
    model.destroy();
    return { batches, traffic };
  });
  return { model: config.name, ...measured };
}

/** What became of a request. */
interface Drawn {
  /** From its start. */
  readonly ms: number;
  /** Undefined where it waited for slots. */
  readonly startMs: number | undefined;
  readonly firstTokenMs: number;
  /** Most requests that had slots, or whose pixels were decoded, while it ran. */
  readonly company: number;
}

class EngineBench {
  readonly #engine: Engine;
  readonly #classes: number;
  readonly #check = new SameCheck('token');

  constructor(engine: Engine, classes: number) {
    this.#engine = engine;
    this.#classes = classes;
  }

  /** @param isSoftware There windows never pay, and are not measured again. */
  async batch(images: number, rounds: number, isSoftware: boolean): Promise<BatchResult> {
    // Once unmeasured: programs are built, and their pace is known.
    await this.#together(images);
    await this.#oneByOne(1, 1);
    const measured: BatchResult['rounds'][number][] = [];
    for (let i = 0; i < rounds; i++) {
      const plain = await this.#oneByOne(images, 1);
      const auto = isSoftware ? plain : await this.#oneByOne(images, 'auto');
      measured.push({ plain, auto, ms: await timeOf(() => this.#together(images)) });
    }
    return { images, rounds: measured };
  }

  /** Arrivals of a Poisson process. */
  async traffic(requests: number, batches: readonly BatchResult[]): Promise<TrafficResult> {
    const fullest = batches.at(-1);
    if (!fullest) throw new RangeError('no batch was measured');
    const meanMs = batchMs(fullest) / fullest.images / LOAD;
    const next = uniform(SEED);
    const before = { ...this.#engine.stats, at: performance.now() };
    const all: Promise<Drawn>[] = [];
    for (let i = 0; i < requests; i++) {
      all.push(this.#draw(i, 'auto'));
      await new Promise((resolve) => setTimeout(resolve, -Math.log(1 - next()) * meanMs));
    }
    const drawn = await Promise.all(all);
    const { stats } = this.#engine;
    const passes = await this.#passesOf(fullest.images);
    return {
      requests,
      passMs: batchMs(fullest) / passes,
      startMs: drawn.flatMap(({ startMs }) => startMs ?? []),
      firstTokenMs: drawn.map(({ firstTokenMs }) => firstTokenMs),
      slowdowns: drawn.map(({ ms, company }) => ms / batchMs(asFullAs(company, batches))),
      scheduleShare: (stats.scheduleMs - before.scheduleMs) / (performance.now() - before.at),
      fullRows: (stats.rowsFull - before.rowsFull) / (stats.rowsComputed - before.rowsComputed),
    };
  }

  async #passesOf(images: number): Promise<number> {
    const { steps } = this.#engine.stats;
    await this.#together(images);
    return this.#engine.stats.steps - steps;
  }

  /** @returns Milliseconds that all would take. */
  async #oneByOne(images: number, window: number | 'auto'): Promise<number> {
    const some = Math.min(images, ONE_BY_ONE);
    const ms = await timeOf(async () => {
      for (let i = 0; i < some; i++) await this.#draw(i, window);
    });
    return (ms * images) / some;
  }

  async #together(images: number): Promise<void> {
    await Promise.all(Array.from({ length: images }, (_, i) => this.#draw(i, 'auto')));
  }

  async #draw(index: number, window: ImageRequest['window']): Promise<Drawn> {
    const engine = this.#engine;
    const classIndex = classOf(index * 5, this.#classes);
    const begun = performance.now();
    const waits = engine.load.slotsInUse + 2 > engine.load.slots;
    let [startMs, firstTokenMs, company] = [0, 0, 0];
    for await (const event of engine.submit({ classIndex, seed: SEED + index, window })) {
      const { running, finishing } = engine.load;
      company = Math.max(company, running + finishing);
      const ms = performance.now() - begun;
      if (event.type === 'started') startMs = ms;
      if (event.type === 'tokens' && firstTokenMs === 0) firstTokenMs = ms;
      if (event.type === 'image') this.#check.check(`image ${index}`, index, event.tokens);
    }
    const ms = performance.now() - begun - startMs;
    return { ms, startMs: waits ? undefined : startMs, firstTokenMs, company };
  }
}

async function timeOf(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

const batchMs = ({ rounds }: BatchResult): number => median(rounds.map(({ ms }) => ms));

/** The smallest batch with so many images, else the largest. */
const asFullAs = (images: number, batches: readonly BatchResult[]): BatchResult => {
  const found = batches.find((batch) => batch.images >= images) ?? batches.at(-1);
  if (!found) throw new RangeError('no batch was measured');
  return found;
};

const median = (values: readonly number[]): number => quantile(values, 0.5);

const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
};

/** Median, and 99 of 100. */
const spread = (values: readonly number[]): string[] =>
  [0.5, 0.99].map((share) => formatNumber(quantile(values, share)));

export const engineTables = ({ model, batches, traffic }: EngineResult): Table[] => [
  [
    [`${model}, guided`, 'ms at once', 'times one by one', 'times one by one, windows'],
    ...batches.map((batch): Row => {
      const ratio = (key: 'plain' | 'auto'): string =>
        median(batch.rounds.map((round) => round[key] / round.ms)).toFixed(2);
      const ms = formatNumber(batchMs(batch));
      return [`  ${batch.images} images`, ms, ratio('plain'), ratio('auto')];
    }),
  ],
  [
    [`${traffic.requests} arrivals at ${LOAD} of that`, 'p50', 'p99'],
    ['  ms to the start, with free slots', ...spread(traffic.startMs)],
    ['  ms to the first token', ...spread(traffic.firstTokenMs)],
    ['  times a request of the fullest batch it shared', ...spread(traffic.slowdowns)],
  ],
  [
    ['traffic', ''],
    ['  ms of a pass of the fullest batch', formatNumber(traffic.passMs)],
    ['  deciding what to run, of the time', `${(100 * traffic.scheduleShare).toFixed(2)} %`],
    ['  rows that belonged to a request', `${(100 * traffic.fullRows).toFixed(0)} %`],
  ],
];
