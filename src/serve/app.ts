/** The API process: HTTP in, jobs for a backend out. */
import type { FastifyInstance } from 'fastify';
import { ApiError, apiErrorOf } from './api-error.ts';
import type { Backend } from './backend.ts';
import { addGenerations } from './generations.ts';
import { importServer } from './peers.ts';

export interface AppOptions {
  readonly backend: Backend;
  /** Names that clients may give, and the models that they mean. */
  readonly aliases?: ReadonlyMap<string, string> | undefined;
  /** Whether images of other sizes are made of the model's. Default false. */
  readonly resize?: boolean | undefined;
}

/** Most bytes of a request's body: a prompt and its settings. */
const MAX_BODY_BYTES = 2 ** 16;

/**
 * Makes the server; `listen` starts it, and `close` ends it: it takes no more, finishes what it has and
 * leaves the backend to its owner.
 * @throws OptionError that names the packages that are missing.
 */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { backend, aliases = new Map(), resize = false } = options;
  const { fastify, sharp } = await importServer();
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    ajv: {
      customOptions: { coerceTypes: false, removeAdditional: false, allowUnionTypes: true },
    },
  });
  app.setErrorHandler((error, _, reply) => {
    const told = apiErrorOf(error);
    if (told.retryAfter !== undefined) reply.header('retry-after', told.retryAfter);
    return reply.code(told.status).send(told.body);
  });
  app.setNotFoundHandler(({ method }) => {
    throw new ApiError(404, `there is nothing for ${method} at this address`, {
      code: 'not_found',
    });
  });
  app.get('/healthz', () => ({ status: 'ok' }));
  app.get('/readyz', (_, reply) => {
    const ready = backend.ready();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready' });
  });
  addModels(app, backend, aliases);
  addGenerations(app, { backend, aliases, resize, sharp });
  return app;
}

function addModels(
  app: FastifyInstance,
  { models }: Backend,
  aliases: ReadonlyMap<string, string>,
): void {
  const listed = [...models.map(({ name }) => [name, name] as const), ...aliases].flatMap(
    ([id, name]) => {
      const model = models.find((each) => each.name === name);
      return model ? [{ id, object: 'model', created: model.created, owned_by: 'llamagen' }] : [];
    },
  );
  app.get('/v1/models', () => ({ object: 'list', data: listed }));
  app.get<{ Params: { model: string } }>('/v1/models/:model', ({ params }) => {
    const found = listed.find(({ id }) => id === params.model);
    if (found) return found;
    const message = `the model "${params.model}" does not exist here`;
    throw new ApiError(404, message, { param: 'model', code: 'model_not_found' });
  });
}
