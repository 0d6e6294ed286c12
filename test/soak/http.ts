/** Traffic on a server: clients that take an answer, a stream or a URL, ask again with a key, or are gone. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer, type Server } from '../../src/serve/app.ts';
import type { Backend } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { goldenFolder } from '../support/golden-model.ts';
import { uniform } from '../support/random.ts';
import { type Asking, type Cut, HttpClient } from './http-client.ts';
import { lastingResources, type Sample, sampleOf, sumOf, type Watched } from './steady.ts';

/** More than may be drawn and wait: some are refused. */
const CLIENTS = 16;
const CAPACITY = 8;
/** Few bytes and little time, so that what is kept is soon as much as it ever is. */
const LIMITS = { waiting: 16, requestsAMinute: 0, storeBytes: 2 ** 14, urlMs: 2000 } as const;
/** Images that may be drawn and wait; guided ones have two slots. */
const ROOM = CAPACITY / 2 + LIMITS.waiting;
const SAMPLES = 5;
/** So long a server may take to see that a client has gone. */
const IDLE_MS = 10_000;

export interface HttpSoak {
  readonly count: number;
  readonly seed: number;
}

export interface HttpSoaked {
  readonly ended: ReadonlyMap<string, number>;
  readonly faults: readonly string[];
}

/** Ten classes, and all ways to take images. */
const BODIES: readonly object[] = Array.from({ length: 10 }, (_, i) => ({
  ...{ prompt: `class:${i}`, seed: i, n: 1 + (i % 2) },
  ...(i % 3 === 1 && { stream: true, partial_images: 2 }),
  ...(i % 3 === 2 && { response_format: 'url' }),
  ...(i % 4 === 3 && { output_format: 'webp' }),
}));

export async function soakHttp(
  { count, seed }: HttpSoak,
  onSample: (sample: Sample) => void,
): Promise<HttpSoaked> {
  const faults: string[] = [];
  const onWarning = (warning: Error): void => void faults.push(`a warning: ${warning.message}`);
  process.on('warning', onWarning);
  const backend = await createLocalBackend({
    files: await goldenFolder('c2i_tiny'),
    capacity: CAPACITY,
  });
  // The device keeps what it keeps; of the server nothing may be there once it is closed.
  const before = await lastingResources();
  const server = await createServer({ backend, limits: LIMITS });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const clients = new Clients(url, uniform(seed), faults);
  await clients.learn();
  const watched = serverWatched(server, backend, clients);
  for (let i = 1; i <= SAMPLES; i++) {
    await clients.run(Math.floor((i * count) / SAMPLES));
    const sample = await sampleOf(clients.begun, watched);
    if (i > 1) onSample(sample);
  }
  await clients.fill();
  clients.close();
  await server.close(0);
  await sleep(50);
  const after = await lastingResources();
  if (after !== before) faults.push(`a closed server leaves "${after}", before it was "${before}"`);
  await backend.close(0);
  process.off('warning', onWarning);
  return { ended: clients.ended, faults };
}

function serverWatched({ app }: Server, backend: Backend, clients: Clients): Watched {
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) => {
      app.server.getConnections((error, n) => (error ? reject(error) : resolve(n)));
    });
  const inUse = (): number => {
    const { waiting, running, slotsInUse } = backend.load();
    return waiting + running + slotsInUse;
  };
  const listeners = (): number =>
    [app.server, process].reduce(
      (sum, emitter) =>
        sum + emitter.eventNames().reduce((n, name) => n + emitter.listenerCount(name), 0),
      0,
    );
  const atFirst = listeners();
  let open = 0;
  return {
    async idle() {
      clients.close();
      for (const end = performance.now() + IDLE_MS; performance.now() < end; await sleep(20)) {
        open = await connections();
        if (open + inUse() === 0) return;
      }
    },
    gpuBytes: () => sumOf(backend.load().gpuBytes),
    listeners: () => listeners() - atFirst,
    left: () => open + inUse(),
  };
}

class Clients {
  readonly ended = new Map<string, number>();
  begun = 0;
  readonly #client: HttpClient;
  readonly #next: () => number;
  readonly #faults: string[];
  /** Files of each body, as they are alone. */
  readonly #alone: string[] = [];

  constructor(url: string, next: () => number, faults: string[]) {
    this.#client = new HttpClient(url);
    this.#next = next;
    this.#faults = faults;
  }

  /** Closes connections that are kept for the next request. */
  close(): void {
    this.#client.close();
  }

  /** One after another, which tells what all others are to be. */
  async learn(): Promise<void> {
    for (const body of BODIES) this.#alone.push(await this.#filesOf({ body }));
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

  /** As many images as there is room for: an idle server that counts others too refuses some. */
  async fill(): Promise<void> {
    const body = { prompt: '1', n: ROOM / 2 };
    const answers = await Promise.all([1, 2].map(() => this.#client.ask({ body })));
    for (const { status } of answers) {
      if (status !== 200) this.#faults.push(`an idle server has no room: ${status}`);
    }
  }

  #below(n: number): number {
    return Math.floor(this.#next() * n);
  }

  #cut(): Cut | undefined {
    const draw = this.#next();
    if (draw < 0.15) return { afterMs: this.#below(30) };
    return draw < 0.3 ? { afterChunks: 1 + this.#below(4) } : undefined;
  }

  /** @returns How it ended. */
  async #ask(): Promise<string> {
    const at = this.#below(BODIES.length);
    const isKeyed = this.#below(4) === 0;
    const cut = this.#cut();
    const body = BODIES[at] ?? {};
    if (this.#below(20) === 0) {
      const { status } = await this.#client.ask({ body: { ...body, prompt: 'no class' } });
      if (status !== 400) this.#faults.push(`a prompt that is none: ${status}`);
      return 'wrong';
    }
    const asking: Asking = { body, cut, ...(isKeyed && { key: `key-${at}` }) };
    const files = await this.#filesOf(asking);
    if (files === 'cut') return 'cut off';
    if (files === 'refused') {
      await sleep(20);
      return 'refused';
    }
    if (files !== this.#alone[at]) this.#faults.push(`request ${at}: other images`);
    return isKeyed ? 'drawn with a key' : 'drawn';
  }

  /** Images of an answer, by their place in it. */
  async #filesOf(asking: Asking): Promise<string> {
    const { status, text } = await this.#client.ask(asking);
    if (status === 'cut') return 'cut';
    if (status === 429) return 'refused';
    if (status !== 200) return `status ${status}: ${text}`;
    const files: string[] = [];
    for (const { image_index, b64_json, url } of imagesIn(text)) {
      files[image_index] = b64_json ?? (await this.#client.fetch(url ?? '')) ?? 'none';
    }
    return files.join(' ');
  }
}

interface Image {
  readonly image_index: number;
  readonly b64_json?: string;
  readonly url?: string;
}

/** Of an object, or of a stream's events. */
function imagesIn(text: string): Image[] {
  if (text.startsWith('{')) {
    const { data } = JSON.parse(text) as { readonly data: readonly Omit<Image, 'image_index'>[] };
    return data.map((image, image_index) => ({ ...image, image_index }));
  }
  const events = text.matchAll(/event: image_generation\.completed\ndata: (.+)\n/g);
  return [...events].map(([, data = '']) => JSON.parse(data) as Image);
}
