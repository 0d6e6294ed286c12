/** What the page at `/` shows: how busy the server is, and the last images of whoever asks. */
import type { FastifyInstance } from 'fastify';
import { clientOf } from './access.ts';
import type { Backend } from './backend.ts';
import type { ImageStore } from './image-store.ts';
import type { Metrics } from './metrics.ts';
import { CONTENT_TYPES } from './picture-bytes.ts';
import type { Asked } from './read-request.ts';

/** Images of a client that are shown. */
const SHOWN = 12;
/** Clients whose last images are known. */
const MAX_CLIENTS = 100;

interface Shown {
  readonly id: string;
  /** What it is of. */
  readonly subject: string;
  readonly seed: number;
}

/** The last images of each client: those of others are nobody's business. */
export class LastImages {
  readonly #store: ImageStore;
  readonly #shown = new Map<string, readonly Shown[]>();

  constructor(store: ImageStore) {
    this.#store = store;
  }

  add(file: Uint8Array, asked: Asked, seed: number, client: string): void {
    const id = this.#store.add({ bytes: file, type: CONTENT_TYPES[asked.format] });
    const before = this.#shown.get(client) ?? [];
    this.#shown.delete(client);
    this.#shown.set(client, [{ id, subject: asked.subject, seed }, ...before].slice(0, SHOWN));
    const [oldest] = this.#shown.keys();
    if (this.#shown.size > MAX_CLIENTS && oldest !== undefined) this.#shown.delete(oldest);
  }

  /** From new to old; those that the store has let go are gone. */
  of(client: string): readonly Shown[] {
    return (this.#shown.get(client) ?? []).filter(({ id }) => this.#store.get(id));
  }
}

export interface StatusOptions {
  readonly backend: Backend;
  readonly metrics: Pick<Metrics, 'rates'>;
  readonly lastImages: LastImages;
}

export function addStatus(app: FastifyInstance, options: StatusOptions): void {
  const { backend, metrics, lastImages } = options;
  app.get('/status', { schema: { hide: true } }, (request, reply) => {
    const { waiting, running, slots, slotsInUse, rowsInUse, workers, resets } = backend.load();
    reply.header('cache-control', 'no-store');
    return {
      ready: backend.ready(),
      ...{ waiting, running, slots, slotsInUse, rowsInUse, workers, resets },
      ...metrics.rates(),
      images: lastImages
        .of(clientOf(request))
        .map(({ id, ...shown }) => ({ path: `images/${id}`, ...shown })),
    };
  });
}
