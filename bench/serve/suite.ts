/**
 * `serve`: one engine under the loads of a server, beside the same engine with one request at a time, in
 * one run. Every image of every load must have the pixels it has alone.
 */
import { readModelJson } from '../../src/cli/models.ts';
import { OptionError } from '../../src/errors.ts';
import { loadModel } from '../../src/index.ts';
import { openFolder } from '../../src/node/files.ts';
import { timed } from '../repeat.ts';
import { SameCheck } from '../same-check.ts';
import type { Session } from '../session.ts';
import { formatNumber, percent, type Row, type Table } from '../table.ts';
import { httpTarget } from './http-target.ts';
import { closedLoop, openLoop, percentile, poissonArrivals, type Served } from './load.ts';
import { type Counts, engineTarget, type Target } from './target.ts';

export interface ServeCase {
  readonly name: string;
  /** What the load was put on. */
  readonly over: 'engine' | 'http';
  /** Of a closed loop. */
  readonly clients?: number;
  /** Of a Poisson process: mean arrivals a second. */
  readonly offered?: number;
  readonly images: number;
  readonly imagesPerSecond: number;
  /** Images a second over those of one at a time, step by step, on the same engine in the same run. */
  readonly timesAlone: number;
  readonly latencyMs: Readonly<Record<'p50' | 'p95' | 'p99' | 'max', number>>;
  readonly tokensPerPass: number;
  /** Share of the rows of passes that belonged to a request. */
  readonly fullRows: number;
  /** Share of the time in which JavaScript decided who runs; of an engine in this process. */
  readonly schedulerShare?: number;
}

export interface ServeResult {
  readonly model: string;
  readonly tokens: number;
  /** Images that the engine has slots for. */
  readonly sideBySide: number;
  readonly cases: readonly ServeCase[];
}

/** Images side by side at most, and clients of the fullest loop. */
const MOST_CLIENTS = 16;
const CLIENTS = { quick: [MOST_CLIENTS], all: [4, MOST_CLIENTS] };
/** Arrivals, as shares of the images a second of the fullest loop. */
const RATES = { quick: [0.7], all: [0.4, 0.7, 0.9] };
const HTTP_RATES = { quick: [], all: [0.7] };
/** Different images; a load goes through them again and again. */
const IMAGES = 16;
/** Drawn before anything is measured. */
const WARM_IMAGES = 2;
const LEAST_ALONE = 4;
/** Images of a closed loop at least, for each client. */
const EACH = { quick: 1, all: 2 };
/** Length of a load that has no more than it must. */
const SECONDS = { software: 30, hardware: 10 };
const MOST_IMAGES = 2000;
const ARRIVALS_SEED = 11;

/** @throws Error when an image of a load differs from what it is alone. */
export async function measureServe(session: Session): Promise<ServeResult> {
  const files = openFolder(session.settings.model);
  const config = await readModelJson(files);
  if (config.gpt.modelType !== 'c2i') {
    throw new OptionError(`serve measures models of classes, and ${config.name} draws texts`);
  }
  const check = new SameCheck('byte');
  const direct = await session.use(async ({ device }) => {
    const model = await loadModel(device, files, session.loading);
    const target = await engineTarget(model, MOST_CLIENTS);
    const cases = await measureEngine(session, target, check);
    await target.close();
    model.destroy();
    return cases;
  });
  const { precision, kvDtype } = session.loading;
  const load = { precision, kvDtype };
  const target = await httpTarget({ files, config, load, images: MOST_CLIENTS });
  const overHttp = await measureHttp(session, target, check, direct);
  await target.close();
  const { name, gpt } = config;
  const cases = [...direct, ...overHttp];
  return { model: name, tokens: gpt.blockSize, sideBySide: MOST_CLIENTS, cases };
}

/** Runs one load. */
type Load = (ask: (index: number) => Promise<void>, images: number) => Promise<Served>;

/** Measures loads on one target, each of about as many seconds. */
class Measuring {
  readonly cases: ServeCase[] = [];
  readonly #session: Session;
  readonly #over: ServeCase['over'];
  readonly #target: Target;
  readonly #check: SameCheck;

  constructor(session: Session, over: ServeCase['over'], target: Target, check: SameCheck) {
    this.#session = session;
    this.#over = over;
    this.#target = target;
    this.#check = check;
  }

  /** Draws an image, which must be what it was before. */
  async ask(index: number, window: 1 | 'auto'): Promise<void> {
    const image = index % IMAGES;
    this.#check.check(`serve (${this.#over})`, image, await this.#target.draw(image, window));
  }

  /** @param alone Images a second of one at a time, step by step; default this one's. */
  async measure(name: string, load: Load, plan: Plan, alone?: number): Promise<ServeCase> {
    const { software, settings } = this.#session;
    const seconds = SECONDS[software ? 'software' : 'hardware'] / (settings.quick ? 4 : 1);
    const { expected, least, window, ...facts } = plan;
    const images = Math.min(MOST_IMAGES, Math.max(least, Math.round(expected * seconds)));
    this.#session.note(`${this.#over}: ${name}, ${images} images`);
    const before = this.#target.counts();
    const served = await load((i) => this.ask(i, window), images);
    const imagesPerSecond = images / served.seconds;
    const done: ServeCase = {
      ...{ name, over: this.#over, ...facts, images, imagesPerSecond },
      timesAlone: imagesPerSecond / (alone ?? imagesPerSecond),
      ...latencies(served),
      ...counted(before, this.#target.counts(), served),
    };
    this.cases.push(done);
    return done;
  }
}

const closed =
  (clients: number): Load =>
  (ask, images) =>
    closedLoop(ask, images, clients);

const poisson =
  (perSecond: number): Load =>
  (ask, images) =>
    openLoop(ask, poissonArrivals(images, perSecond, ARRIVALS_SEED));

async function measureEngine(
  session: Session,
  target: Target,
  check: SameCheck,
): Promise<ServeCase[]> {
  const measuring = new Measuring(session, 'engine', target, check);
  const kind = session.settings.quick ? 'quick' : 'all';
  // The first of a kind builds what the others use.
  const { ms } = await timed(() => closedLoop((i) => measuring.ask(i, 1), WARM_IMAGES, 1));
  const expected = (WARM_IMAGES * 1000) / ms;
  const one = { expected, least: LEAST_ALONE, clients: 1 };
  await closedLoop((i) => measuring.ask(i, 'auto'), MOST_CLIENTS, MOST_CLIENTS);
  const plain = await measuring.measure('one at a time, step by step', closed(1), {
    ...one,
    window: 1,
  });
  const alone = plain.imagesPerSecond;
  await measuring.measure('one at a time, windows', closed(1), { ...one, window: 'auto' }, alone);
  let fullest = 0;
  for (const clients of CLIENTS[kind]) {
    const plan = {
      expected: 2 * alone,
      least: EACH[kind] * clients,
      clients,
      window: 'auto',
    } as const;
    const done = await measuring.measure(`${clients} clients`, closed(clients), plan, alone);
    fullest = Math.max(fullest, done.imagesPerSecond);
  }
  await measureArrivals(measuring, RATES[kind], fullest, alone);
  return measuring.cases;
}

/** Over HTTP, beside the same engine without it: its fullest loop and rates of arrivals again. */
async function measureHttp(
  session: Session,
  target: Target,
  check: SameCheck,
  direct: readonly ServeCase[],
): Promise<ServeCase[]> {
  const measuring = new Measuring(session, 'http', target, check);
  const alone = direct[0]?.imagesPerSecond ?? 0;
  const fullest = Math.max(...direct.map(({ imagesPerSecond }) => imagesPerSecond));
  const kind = session.settings.quick ? 'quick' : 'all';
  await closedLoop((i) => measuring.ask(i, 'auto'), MOST_CLIENTS, MOST_CLIENTS);
  const one = { expected: alone, least: LEAST_ALONE, clients: 1, window: 'auto' } as const;
  await measuring.measure('one at a time, windows', closed(1), one, alone);
  const clients = MOST_CLIENTS;
  const full = { expected: fullest, least: EACH[kind] * clients, clients, window: 'auto' } as const;
  await measuring.measure(`${clients} clients`, closed(clients), full, alone);
  await measureArrivals(measuring, HTTP_RATES[kind], fullest, alone);
  return measuring.cases;
}

/** @param fullest Images a second that the shares are of. */
async function measureArrivals(
  measuring: Measuring,
  shares: readonly number[],
  fullest: number,
  alone: number,
): Promise<void> {
  for (const share of shares) {
    const offered = share * fullest;
    const plan = { expected: offered, least: IMAGES, offered, window: 'auto' } as const;
    const name = `Poisson, ${formatNumber(offered)} a second`;
    await measuring.measure(name, poisson(offered), plan, alone);
  }
}

interface Plan extends Pick<ServeCase, 'clients' | 'offered'> {
  /** Images a second, roughly. */
  readonly expected: number;
  /** Images at least. */
  readonly least: number;
  readonly window: 1 | 'auto';
}

const latencies = ({ latenciesMs }: Served): Pick<ServeCase, 'latencyMs'> => ({
  latencyMs: {
    p50: percentile(latenciesMs, 0.5),
    p95: percentile(latenciesMs, 0.95),
    p99: percentile(latenciesMs, 0.99),
    max: percentile(latenciesMs, 1),
  },
});

function counted(
  before: Counts,
  after: Counts,
  { seconds }: Served,
): Pick<ServeCase, 'tokensPerPass' | 'fullRows' | 'schedulerShare'> {
  const scheduleMs = (after.scheduleMs ?? 0) - (before.scheduleMs ?? 0);
  return {
    tokensPerPass: (after.tokens - before.tokens) / (after.passes - before.passes),
    fullRows: (after.rowsFull - before.rowsFull) / (after.rowsComputed - before.rowsComputed),
    ...(after.scheduleMs !== undefined && { schedulerShare: scheduleMs / 1000 / seconds }),
  };
}

const HEAD = [
  'images',
  'images/s',
  'times alone',
  'p50, s',
  'p95, s',
  'p99, s',
  'tokens a pass',
  'full rows',
  'scheduler',
];

export const serveTables = ({ model, tokens, sideBySide, cases }: ServeResult): Table[] =>
  (['engine', 'http'] as const).flatMap((over) => {
    const own = cases.filter((c) => c.over === over);
    if (own.length === 0) return [];
    const where = over === 'engine' ? 'the engine' : 'over HTTP';
    const title = `${where}: ${model}, ${tokens} tokens, ${sideBySide} side by side`;
    return [[[title, ...HEAD], ...own.map(row)]];
  });

function row(one: ServeCase): Row {
  const { latencyMs: ms } = one;
  return [
    `  ${one.name}`,
    String(one.images),
    formatNumber(one.imagesPerSecond),
    formatNumber(one.timesAlone),
    ...[ms.p50, ms.p95, ms.p99].map((value) => formatNumber(value / 1000)),
    formatNumber(one.tokensPerPass),
    percent(one.fullRows),
    one.schedulerShare === undefined ? '' : percent(one.schedulerShare),
  ];
}
