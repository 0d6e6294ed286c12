/** Traffic on one engine: clients that ask again and again, wait for an image, go away or are slow. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BusyError,
  createLastingEngine,
  type ImageRequest,
  type LastingEngine,
  loadModel,
} from '../../src/index.ts';
import { openDevice } from '../../src/node/device.ts';
import { goldenFolder } from '../support/golden-model.ts';
import { uniform } from '../support/random.ts';
import { engineWatched, type Sample, sampleOf } from './steady.ts';

/** More than slots and those that may wait: some are refused. */
const CLIENTS = 24;
const ENGINE = { capacity: 8, rows: 16, mostWaiting: 16, pauseMs: 0 } as const;
const WINDOWS = [1, 2, 3, 8, 'auto'] as const;
/** Devices that are lost, before anything is compared. */
const LOSSES = 2;
const SAMPLES = 5;

export interface Soak {
  readonly name: 'c2i_tiny' | 't2i_tiny';
  readonly requests: readonly ImageRequest[];
  readonly count: number;
  readonly seed: number;
}

export interface Soaked {
  /** How requests ended, and how many did. */
  readonly ended: ReadonlyMap<string, number>;
  readonly resets: number;
  /** Of the time in which passes ran. */
  readonly scheduleShare: number;
  /** Those whose image was another than alone. */
  readonly faults: readonly string[];
}

/** What a client does with a request. */
type Fate = 'stays' | 'aborts' | 'leaves' | 'is slow';

export async function soak(traffic: Soak, onSample: (sample: Sample) => void): Promise<Soaked> {
  const { name, requests, count, seed } = traffic;
  const files = await goldenFolder(name);
  let device: GPUDevice | undefined;
  const engine = await createLastingEngine(async () => {
    const opened = await openDevice({ tuned: false });
    device = opened.device;
    const model = await loadModel(device, files);
    const close = (): void => {
      model.destroy();
      opened.close();
    };
    return { model, close };
  }, ENGINE);
  const alone: string[] = [];
  for (const request of requests) alone.push(await imageOf(engine, { ...request, window: 1 }));
  const next = uniform(seed);
  const clients = new Clients({ traffic, engine, alone, next });
  const losing = Math.floor(count / 10);
  for (let i = 1; i <= LOSSES; i++) {
    const ran = clients.run(Math.floor((i * losing) / LOSSES));
    await sleep(50);
    device?.destroy();
    await ran;
  }
  await prepareAll(engine, requests);
  const begun = { at: performance.now(), ms: engine.stats.scheduleMs };
  for (let i = 1; i <= SAMPLES; i++) {
    await clients.run(losing + Math.floor((i * (count - losing)) / SAMPLES));
    // Buffers that are read through are there only then: the first sample is not compared.
    const sample = await sampleOf(clients.begun, engineWatched(engine, clients.signal));
    if (i > 1) onSample(sample);
  }
  const spent = engine.stats.scheduleMs - begun.ms;
  const scheduleShare = spent / (performance.now() - begun.at);
  const { resets } = engine;
  engine.destroy();
  return { ended: clients.ended, resets, scheduleShare, faults: clients.faults };
}

/** Makes the programs that requests need, which chance would have made sooner or later. */
async function prepareAll(engine: LastingEngine, requests: readonly ImageRequest[]): Promise<void> {
  for (let rows = 1; rows <= ENGINE.rows; rows *= 2) await engine.prepare(rows);
  for (const { caption } of requests) if (caption) await engine.prepare(2, 1, [caption]);
}

/** Tokens, and pixels where there are any. */
async function imageOf(engine: LastingEngine, request: ImageRequest): Promise<string> {
  for await (const event of engine.submit(request)) {
    if (event.type === 'image') return `${event.tokens} ${event.picture?.rgba ?? ''}`;
  }
  throw new Error('no image');
}

interface ClientsParts {
  readonly traffic: Soak;
  readonly engine: LastingEngine;
  readonly alone: readonly string[];
  readonly next: () => number;
}

class Clients {
  readonly ended = new Map<string, number>();
  readonly faults: string[] = [];
  begun = 0;
  readonly #parts: ClientsParts;
  /** Of clients that stay: one that all of them share, as one of a server. */
  readonly #shared = new AbortController();

  constructor(parts: ClientsParts) {
    this.#parts = parts;
  }

  get signal(): AbortSignal {
    return this.#shared.signal;
  }

  /** Asks until so many requests were begun, and waits for all of them. */
  async run(until: number): Promise<void> {
    const client = async (): Promise<void> => {
      while (this.begun < until) {
        this.begun++;
        const how = await this.#ask();
        this.ended.set(how, (this.ended.get(how) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
  }

  #below(n: number): number {
    return Math.floor(this.#parts.next() * n);
  }

  #fate(): Fate {
    const draw = this.#parts.next();
    if (draw < 0.15) return 'aborts';
    if (draw < 0.3) return 'leaves';
    return draw < 0.35 ? 'is slow' : 'stays';
  }

  /** @returns How it ended. */
  async #ask(): Promise<string> {
    const { engine, traffic, alone } = this.#parts;
    const fate = this.#fate();
    const at = this.#below(traffic.requests.length);
    const window = WINDOWS[this.#below(WINDOWS.length)];
    const own = new AbortController();
    const signal = fate === 'aborts' ? own.signal : this.signal;
    const priority = this.#below(3);
    let eventsLeft = this.#below(8);
    if (fate === 'aborts' && eventsLeft === 0) own.abort(new Error('aborted'));
    try {
      const request = { ...traffic.requests[at], window };
      for await (const event of engine.submit(request, { signal, priority })) {
        if (event.type === 'image') {
          const image = `${event.tokens} ${event.picture?.rgba ?? ''}`;
          if (image !== alone[at])
            this.faults.push(`request ${at}, window ${window}: another image`);
        }
        if (fate === 'is slow') await sleep(5);
        if (eventsLeft-- > 0) continue;
        if (fate === 'leaves') return 'left';
        if (fate === 'aborts') own.abort(new Error('aborted'));
      }
      return 'drawn';
    } catch (error) {
      if (error === own.signal.reason) return 'aborted';
      if (!(error instanceof BusyError)) throw error;
      await sleep(20);
      return 'refused';
    }
  }
}
