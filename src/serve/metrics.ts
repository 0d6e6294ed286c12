/** What Prometheus is told of a server. Names and units follow its conventions; docs/serving.md lists them. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { BackendLoad } from './load.ts';
import { type Rates, RateWindow } from './rates.ts';

/** How a request for an image ended. */
export type Outcome = 'done' | 'cancelled' | 'failed';

/** What metrics read of the events of a job. */
interface MeasuredEvent {
  readonly type: string;
  readonly decodeMs?: number | undefined;
}

export interface Metrics {
  /** What `/metrics` answers, and its content type. */
  text(): Promise<string>;
  readonly contentType: string;
  /** The events of one image, timed while they pass by. */
  follow<E extends MeasuredEvent>(events: AsyncIterable<E>): AsyncIterableIterator<E>;
  /** An answer over HTTP. @param route As it was registered, `/images/:id`, so that labels stay few. */
  http(method: string, route: string, status: number, seconds: number): void;
  /** A request that was not taken, by its error code. */
  refused(code: string): void;
  /** Over the last seconds. */
  rates(): Rates;
}

/** Seconds: software adapters take minutes for what a GPU does in tenths. */
const BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const HTTP_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600];

/**
 * Metrics in a registry of their own, so that several servers of one process do not meet; those of the process
 * itself they have in common.
 * @param load Is asked whenever metrics are read.
 * @param now Milliseconds of a clock that never goes back.
 */
export function createMetrics(
  load: () => BackendLoad,
  now: () => number = () => performance.now(),
): Metrics {
  const registry = new Registry();
  registerLoad(registry, load);
  const times = registerTimes(registry);
  const window = new RateWindow(load, now);
  const http = new Histogram({
    name: 'llamagen_http_request_duration_seconds',
    help: 'Time to the end of an answer over HTTP.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: HTTP_BUCKETS,
    registers: [registry],
  });
  const refused = new Counter({
    name: 'llamagen_requests_refused_total',
    help: 'Requests that were not taken, by the code of their error.',
    labelNames: ['code'] as const,
    registers: [registry],
  });
  return {
    text: async () => (await registry.metrics()) + (await ofProcess().metrics()),
    contentType: registry.contentType,
    follow: (events) => follow(events, times, now),
    http: (method, route, status, seconds) =>
      http.observe({ method, route, status: String(status) }, seconds),
    refused: (code) => refused.inc({ code }),
    rates: () => window.rates(),
  };
}

let processMetrics: Registry | undefined;

/** Those of the process: they watch it without an end, so that all servers have them in common. */
function ofProcess(): Registry {
  if (processMetrics) return processMetrics;
  processMetrics = new Registry();
  collectDefaultMetrics({ register: processMetrics });
  return processMetrics;
}

/** What is read of the load: gauges of now, counters since the start. */
function registerLoad(registry: Registry, load: () => BackendLoad): void {
  const gauges: Readonly<Record<string, [help: string, of: (load: BackendLoad) => number]>> = {
    llamagen_queue_length: ['Requests that wait for slots.', (l) => l.waiting],
    llamagen_requests_running: ['Requests that have slots.', (l) => l.running],
    llamagen_slots: ['KV slots of all engines.', (l) => l.slots],
    llamagen_slots_in_use: ['KV slots that requests have.', (l) => l.slotsInUse],
    llamagen_rows_in_use: [
      'Rows of the latest pass that belonged to a request.',
      (l) => l.rowsInUse,
    ],
    llamagen_workers: ['Engines that are up.', (l) => l.workers],
  };
  const counters: typeof gauges = {
    llamagen_passes_total: ['Passes of the decoder.', (l) => l.passes],
    llamagen_tokens_total: ['Tokens drawn.', (l) => l.tokens],
    llamagen_rows_computed_total: ['Rows of all passes.', (l) => l.rowsComputed],
    llamagen_rows_full_total: ['Rows of passes that belonged to a request.', (l) => l.rowsFull],
    llamagen_device_resets_total: ['Devices that were lost and opened again.', (l) => l.resets],
  };
  const registers = [registry];
  for (const [name, [help, of]] of Object.entries(gauges)) {
    new Gauge({
      name,
      help,
      registers,
      collect(): void {
        this.set(of(load()));
      },
    });
  }
  for (const [name, [help, of]] of Object.entries(counters)) {
    // The engine counts: what it says takes the place of what was said before.
    new Counter({
      name,
      help,
      registers,
      collect(): void {
        this.reset();
        this.inc(of(load()));
      },
    });
  }
  new Gauge({
    name: 'llamagen_gpu_memory_bytes',
    help: 'GPU memory in use, by what it is for.',
    labelNames: ['kind'] as const,
    registers,
    collect(): void {
      for (const [kind, bytes] of Object.entries(load().gpuBytes)) this.set({ kind }, bytes);
    },
  });
}

interface Times {
  readonly queue: Histogram;
  readonly firstPreview: Histogram;
  readonly draw: Histogram;
  readonly decode: Histogram;
  readonly image: Histogram<'outcome'>;
}

function registerTimes(registry: Registry): Times {
  const histogram = <L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[] = [],
  ): Histogram<L> =>
    new Histogram({
      name: `llamagen_${name}_seconds`,
      ...{ help, buckets: BUCKETS, registers: [registry], labelNames: [...labelNames] },
    });
  return {
    queue: histogram('queue_wait', 'From taking a request to its slots.'),
    firstPreview: histogram('first_preview', 'From taking a request to its first preview.'),
    draw: histogram('draw_duration', 'From slots to the last token and pixel.'),
    decode: histogram('decode_duration', 'Turning the tokens of an image into pixels.'),
    image: histogram('image_duration', 'From taking a request to its end.', ['outcome']),
  };
}

/** Passes events on; what takes them may stop anywhere. */
async function* follow<E extends MeasuredEvent>(
  events: AsyncIterable<E>,
  times: Times,
  now: () => number,
): AsyncGenerator<E, void> {
  const taken = now();
  const since = (moment: number): number => (now() - moment) / 1000;
  let started: number | undefined;
  let hasPreview = false;
  let outcome: Outcome = 'cancelled';
  try {
    for await (const event of events) {
      if (event.type === 'started' && started === undefined) {
        started = now();
        times.queue.observe(since(taken));
      } else if (event.type === 'preview' && !hasPreview) {
        hasPreview = true;
        times.firstPreview.observe(since(taken));
      } else if (event.type === 'image') {
        outcome = 'done';
        times.draw.observe(since(started ?? taken));
        if (event.decodeMs !== undefined) times.decode.observe(event.decodeMs / 1000);
      }
      yield event;
    }
  } catch (error) {
    if (outcome !== 'done') outcome = isAbort(error) ? 'cancelled' : 'failed';
    throw error;
  } finally {
    times.image.observe({ outcome }, since(taken));
  }
}

/** Whether a signal's own reason ended the events. */
const isAbort = (error: unknown): boolean =>
  error instanceof Error && ['AbortError', 'TimeoutError'].includes(error.name);
