/** `POST /v1/images/generations`. */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { clientOf } from './access.ts';
import { answerOf, eventsOf, type Keep } from './answer.ts';
import { ApiError } from './api-error.ts';
import type { Backend } from './backend.ts';
import { IdempotentRuns } from './idempotency.ts';
import type { StoredImage } from './image-store.ts';
import { onLeave } from './leaving.ts';
import { noteError } from './log.ts';
import { GENERATION_RESPONSES } from './openapi.ts';
import { CONTENT_TYPES } from './picture-bytes.ts';
import { type Asked, type ReadOptions, readRequest } from './read-request.ts';
import { GENERATION_BODY, type GenerationBody } from './request-schema.ts';
import type { Run } from './run.ts';
import type { Runs } from './runs.ts';

export interface GenerationOptions extends Omit<ReadOptions, 'models'> {
  readonly backend: Backend;
  readonly runs: Runs;
  readonly requestsAMinute: number;
  readonly logPrompts: boolean;
  /** Keeps an image, and says where it can be fetched. */
  readonly keep: (image: StoredImage, request: FastifyRequest) => string;
}

type Request = FastifyRequest<{ Body: GenerationBody }>;

export function addGenerations(app: FastifyInstance, options: GenerationOptions): void {
  const { backend, runs, keep, requestsAMinute, logPrompts, ...names } = options;
  const keyed = new IdempotentRuns();
  const runOf = (request: Request, reply: FastifyReply): Run => {
    const { body } = request;
    const client = clientOf(request);
    const key = request.headers['idempotency-key'];
    const begin = (asked: Asked): Run => runs.begin(asked, client, key !== undefined);
    const asked = readRequest(body, { ...names, models: backend.models });
    if (logPrompts) request.log.info({ prompt: body.prompt }, 'asked');
    if (key === undefined) return begin(asked);
    let isNew = false;
    const run = keyed.take({ key: String(key), client, body }, (seed = asked.seed) => {
      isNew = true;
      return begin({ ...asked, seed });
    });
    if (!isNew) reply.header('idempotent-replayed', 'true');
    return run;
  };
  app.post<{ Body: GenerationBody }>('/v1/images/generations', {
    schema: {
      summary: 'Draw images',
      description: 'As in the OpenAI API; with `stream` the answer is server-sent events.',
      body: GENERATION_BODY,
      response: GENERATION_RESPONSES,
    },
    config: { rateLimit: rateLimitOf(requestsAMinute) },
    handler: async (request, reply) => {
      if (!backend.ready()) {
        const details = { code: 'not_ready', retryAfter: 5 };
        throw new ApiError(503, 'no model is ready to draw now', details);
      }
      const run = runOf(request, reply);
      const events = run.follow();
      const client = { hasLeft: false };
      onLeave(request, reply, () => {
        client.hasLeft = true;
        void events.return?.();
      });
      const { asked } = run;
      const store: Keep = (bytes) => keep({ bytes, type: CONTENT_TYPES[asked.format] }, request);
      const onError = (error: unknown): ApiError => noteError(request, error);
      try {
        await run.taken;
        const answer = asked.stream
          ? Readable.from(eventsOf(run, events, { keep: store, onError }))
          : await answerOf(run, events, store);
        if (!client.hasLeft) return asked.stream ? sendStream(reply, answer) : answer;
      } catch (error) {
        // What ended because its client left is no fault.
        if (!client.hasLeft) throw error;
      }
      return reply.hijack();
    },
  });
}

function sendStream(reply: FastifyReply, events: object): FastifyReply {
  reply.type('text/event-stream').header('cache-control', 'no-store');
  reply.header('x-accel-buffering', 'no'); // nginx passes on what comes at once
  return reply.send(events);
}

const rateLimitOf = (max: number) =>
  max > 0 && {
    max,
    timeWindow: '1 minute',
    keyGenerator: clientOf,
    errorResponseBuilder: (_: FastifyRequest, { ttl }: { readonly ttl: number }) => {
      const retryAfter = Math.ceil(ttl / 1000);
      const message = `at most ${max} requests a minute: ask again in ${retryAfter} s`;
      return new ApiError(429, message, { code: 'rate_limit_exceeded', retryAfter });
    },
  };
