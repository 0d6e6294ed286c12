/** The log: one line of JSON for each answer. Keys, bodies and the ids of images are never in it. */
import type { FastifyHttpOptions, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { holderOf } from './access.ts';
import { type ApiError, apiErrorOf } from './api-error.ts';
import { onLeave } from './leaving.ts';
import type { Metrics } from './metrics.ts';
import type { ServerOptions } from './server-options.ts';

/** For fastify, which has pino write it. */
export function loggerOf({
  log,
}: Pick<ServerOptions, 'log'>): Pick<FastifyHttpOptions<import('node:http').Server>, 'logger'> {
  if (!log) return { logger: false };
  // What pino would say of a request by itself has its address in it, and so ids of images.
  const serializers = { req: () => ({}), res: () => ({}), err: factsOf };
  return { logger: { level: log.level, stream: log.stream, base: null, serializers } };
}

/** Whoever asks without a key: addresses are not written down. */
const ANYONE = 'anyone';

/** Of an error: packages hang on it what they were doing, and that may have a prompt in it. */
const factsOf = ({
  name,
  message,
  stack = '',
}: Error): Record<'type' | 'message' | 'stack', string> => ({
  ...{ type: name, message, stack },
});

const codes = new WeakMap<FastifyRequest, string>();

/** Remembers why a request came to no images, and writes down what is the server's own fault. @returns What its client is told. */
export function noteError(request: FastifyRequest, error: unknown): ApiError {
  const told = apiErrorOf(error);
  const { code } = told.body.error;
  if (code !== null) codes.set(request, code);
  if (told.status >= 500 && told !== error) request.log.error({ err: error }, told.message);
  return told;
}

/** Writes a line at the end of each answer, or when its client has left before, and counts it. */
export function logRequests(
  app: FastifyInstance,
  metrics: Pick<Metrics, 'http' | 'refused'>,
): void {
  const lineOf = (request: FastifyRequest, { elapsedTime }: FastifyReply) => {
    const { method, routeOptions } = request;
    const route = routeOptions.url ?? 'none';
    return { method, route, ms: Math.round(elapsedTime), client: holderOf(request) ?? ANYONE };
  };
  app.addHook('onRequest', async (request, reply) => {
    onLeave(request, reply, () => {
      metrics.refused('client_left');
      request.log.info({ ...lineOf(request, reply), code: 'client_left' }, 'left');
    });
  });
  app.addHook('onResponse', async (request, reply) => {
    const line = lineOf(request, reply);
    const status = reply.statusCode;
    const code = codes.get(request);
    metrics.http(line.method, line.route, status, reply.elapsedTime / 1000);
    if (code !== undefined) metrics.refused(code);
    request.log.info({ ...line, status, ...(code && { code }) }, 'answered');
  });
}
