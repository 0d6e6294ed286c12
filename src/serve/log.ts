/** The log: one line of JSON for each answer. Keys, bodies and the ids of images are never in it. */
import type { FastifyHttpOptions, FastifyInstance, FastifyRequest } from 'fastify';
import { clientOf } from './access.ts';
import type { Metrics } from './metrics.ts';
import type { ServerOptions } from './server-options.ts';

/** For fastify, which has pino write it. */
export function loggerOf({
  log,
}: Pick<ServerOptions, 'log'>): Pick<FastifyHttpOptions<import('node:http').Server>, 'logger'> {
  if (!log) return { logger: false };
  // What pino would say of a request by itself has its address in it, and so ids of images.
  const serializers = { req: () => ({}), res: () => ({}) };
  return { logger: { level: log.level, stream: log.stream, base: null, serializers } };
}

const codes = new WeakMap<FastifyRequest, string>();

/** Remembers why a request was refused. */
export const noteCode = (request: FastifyRequest, code: string | null): void => {
  if (code !== null) codes.set(request, code);
};

/** Writes a line at the end of each answer, and counts it. */
export function logRequests(
  app: FastifyInstance,
  metrics: Pick<Metrics, 'http' | 'refused'>,
): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request;
    const route = routeOptions.url ?? 'none';
    const status = reply.statusCode;
    const code = codes.get(request);
    metrics.http(method, route, status, reply.elapsedTime / 1000);
    if (code !== undefined) metrics.refused(code);
    const ms = Math.round(reply.elapsedTime);
    const line = { method, route, status, ms, client: clientOf(request), ...(code && { code }) };
    request.log.info(line, 'answered');
  });
}
