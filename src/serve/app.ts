/** The API process: HTTP in, jobs for a backend out. */
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { addHeaders, checkKeys, guardLoopback } from './access.ts';
import { ApiError } from './api-error.ts';
import { addGenerations } from './generations.ts';
import { httpOptions } from './http-options.ts';
import { ImageStore } from './image-store.ts';
import { logRequests, noteError } from './log.ts';
import { addModels } from './models-route.ts';
import { addOpenApi } from './openapi.ts';
import { addPage } from './page.ts';
import { importServer, type ServerPeers } from './peers.ts';
import { Runs } from './runs.ts';
import { checkAliases, DEFAULT_LIMITS, type Limits, type ServerOptions } from './server-options.ts';
import { addStatus, LastImages } from './status.ts';

export interface Server {
  /** Takes requests from now on. @returns The server's address. */
  listen(at: { readonly host: string; readonly port: number }): Promise<string>;
  /**
   * Takes no more, and finishes what it has; the backend is its owner's to close.
   * @param deadlineMs What takes longer is handed back with 503.
   */
  close(deadlineMs: number): Promise<void>;
  /** For requests without a network. */
  readonly app: FastifyInstance;
}

/** Of the images that the page shows. */
const SHOWN_BYTES = 32 * 2 ** 20;
/** For answers to requests that were ended. */
const LAST_WORDS_MS = 2000;
/** Seconds after which a client may find another server in this one's place. */
const RESTART = 5;

/** @throws OptionError that names the packages that are missing. */
export async function createServer(options: ServerOptions): Promise<Server> {
  const peers = await importServer();
  const models = options.backend.models.map(({ name }) => name);
  // Workers of a queue may come later, with their models.
  if (models.length > 0) checkAliases(options.aliases ?? new Map(), models);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const app = peers.fastify({
    ...httpOptions(limits, options),
    genReqId: () => randomUUID(),
    logController: new peers.LogController({ disableRequestLogging: true }),
  });
  options.tracing?.attach(app);
  // A page elsewhere may post text without asking first.
  app.removeContentTypeParser('text/plain');
  app.server.maxConnections = limits.connections;
  let isClosing = false;
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    // Node begins the time anew whenever the client takes bytes.
    reply.raw.setTimeout(limits.sendMs, () => {
      if (reply.raw.writableLength === 0) return;
      request.log.warn('cut: the client takes nothing');
      reply.raw.destroy();
    });
    // A connection that is kept for the next request would keep the server.
    reply.raw.once('finish', () => isClosing && request.socket.destroySoon());
    if (isClosing && request.url !== '/healthz') {
      reply.header('connection', 'close');
      throw shuttingDown();
    }
  });
  const { runs } = await addRoutes(app, options, { peers, limits });
  return {
    app,
    listen: (at) => app.listen(at),
    async close(deadlineMs) {
      isClosing = true;
      const ending = setTimeout(() => runs.abort(shuttingDown()), deadlineMs);
      const cutting = setTimeout(
        () => app.server.closeAllConnections(),
        deadlineMs + LAST_WORDS_MS,
      );
      try {
        await app.close();
      } finally {
        clearTimeout(ending);
        clearTimeout(cutting);
      }
    },
  };
}

const shuttingDown = (): ApiError =>
  new ApiError(503, 'this server is shutting down: ask again', {
    code: 'shutting_down',
    retryAfter: RESTART,
  });

interface Parts {
  readonly peers: ServerPeers;
  readonly limits: Limits;
}

async function addRoutes(
  app: FastifyInstance,
  options: ServerOptions,
  { peers, limits }: Parts,
): Promise<{ readonly runs: Runs }> {
  const { backend, apiKeys, aliases = new Map(), publicUrl } = options;
  const metrics = peers.createMetrics(() => backend.load());
  const ttlMs = limits.urlMs;
  const kept = new ImageStore({ maxBytes: limits.storeBytes, ttlMs });
  const shown = new ImageStore({ maxBytes: SHOWN_BYTES, ttlMs });
  const lastImages = new LastImages(shown);
  const runs = new Runs({
    ...{ backend, limits, metrics, sharp: peers.sharp, tracing: options.tracing },
    onImage: (...image) => lastImages.add(...image),
  });
  const urlOf = (id: string, { protocol, host }: FastifyRequest): string =>
    `${publicUrl ?? `${protocol}://${host}`}/images/${id}`;

  addErrors(app);
  logRequests(app, metrics);
  await addHeaders(app, peers, options);
  if (!apiKeys) guardLoopback(app, publicUrl);
  await app.register(peers.rateLimit, { global: false });
  await addOpenApi(app, peers, apiKeys !== undefined);
  addHealth(app, options);
  addImages(app, [kept, shown]);
  addPage(app);
  await app.register(async (api) => {
    checkKeys(api, options);
    addModels(api, backend, aliases);
    addGenerations(api, {
      ...{ backend, runs, aliases, requestsAMinute: limits.requestsAMinute },
      ...{ resize: options.resize ?? false, logPrompts: options.logPrompts ?? false },
      keep: (image, request) => urlOf(kept.add(image), request),
    });
    addStatus(api, { backend, metrics, lastImages });
    api.get('/metrics', { schema: { hide: true } }, async (_, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    );
  });
  return { runs };
}

/** Every answer that is none has one form. */
function addErrors(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const told = noteError(request, error);
    if (told.retryAfter !== undefined) reply.header('retry-after', told.retryAfter);
    return reply.code(told.status).send(told.body);
  });
  app.setNotFoundHandler(({ method }) => {
    throw new ApiError(404, `there is nothing for ${method} at this address`, {
      code: 'not_found',
    });
  });
}

function addHealth(app: FastifyInstance, { backend }: ServerOptions): void {
  app.get('/healthz', { schema: { summary: 'Whether the process runs' } }, () => ({
    status: 'ok',
  }));
  app.get('/readyz', { schema: { summary: 'Whether it can draw now' } }, (_, reply) => {
    const ready = backend.ready();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready' });
  });
}

/** Whoever knows the address of an image may see it, on any page. */
function addImages(app: FastifyInstance, stores: readonly ImageStore[]): void {
  app.get<{ Params: { id: string } }>(
    '/images/:id',
    { schema: { summary: 'An image, by the URL that an answer gave', params: IMAGE_PARAMS } },
    ({ params: { id } }, reply) => {
      const image = stores.map((store) => store.get(id)).find((found) => found);
      if (!image) {
        throw new ApiError(404, 'there is no such image, or it has expired', { code: 'not_found' });
      }
      reply.header('cross-origin-resource-policy', 'cross-origin');
      const seconds = Math.floor(image.remainingMs / 1000);
      reply.header('cache-control', `private, max-age=${seconds}, immutable`);
      return reply.type(image.type).send(image.bytes);
    },
  );
}

const IMAGE_PARAMS = { type: 'object', properties: { id: { type: 'string', maxLength: 64 } } };
