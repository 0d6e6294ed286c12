/** Traces by OpenTelemetry, where its environment variables ask for them. */
import type { Attributes, Context, Span, Tracer } from '@opentelemetry/api';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { VERSION } from '../version.ts';
import { onLeave } from './leaving.ts';
import { importTelemetry, type TelemetryPeers } from './peers.ts';

/** What spans are made of. */
interface TracedEvent {
  readonly type: string;
  readonly decodeMs?: number | undefined;
  readonly passes?: number | undefined;
  readonly done?: number | undefined;
}

export interface Tracing {
  /** A span for each request, within the trace that its client is in. Add it before all else. */
  attach(app: FastifyInstance): void;
  /** The events of an image, whose spans are within that of the request that asked for it. */
  follow<E extends TracedEvent>(events: AsyncIterable<E>): AsyncIterableIterator<E>;
  /** Sends what is left. */
  close(): Promise<void>;
}

/** Any of them asks for traces. */
const VARIABLES = [
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_TRACES_EXPORTER',
] as const;

/** Whether traces are asked for. */
export function wantsTracing(env: NodeJS.ProcessEnv = process.env): boolean {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return false;
  if (env.OTEL_TRACES_EXPORTER === 'none') return false;
  return VARIABLES.some((name) => Boolean(env[name]));
}

/**
 * Starts OpenTelemetry for this process, which its variables configure.
 * @returns Nothing where they ask for no traces.
 * @throws OptionError that names the packages that are missing.
 */
export async function openTracing(
  env: NodeJS.ProcessEnv = process.env,
): Promise<Tracing | undefined> {
  if (!wantsTracing(env)) return undefined;
  const peers = await importTelemetry();
  const { NodeSDK, OTLPTraceExporter } = peers;
  // The others tell the command line, and a queue's password may be in it. Not all versions of the SDK export
  // detectors; all read this variable.
  process.env.OTEL_NODE_RESOURCE_DETECTORS = 'env';
  const sdk = new NodeSDK({
    serviceName: env.OTEL_SERVICE_NAME || 'llamagen',
    traceExporter: new OTLPTraceExporter(),
    instrumentations: [],
  });
  sdk.start();
  return new OtlpTracing(peers, () => sdk.shutdown());
}

class OtlpTracing implements Tracing {
  readonly close: () => Promise<void>;
  readonly #peers: TelemetryPeers;
  readonly #tracer: Tracer;

  constructor(peers: TelemetryPeers, close: () => Promise<void>) {
    this.close = close;
    this.#peers = peers;
    this.#tracer = peers.trace.getTracer('llamagen', VERSION);
  }

  attach(app: FastifyInstance): void {
    const { context, propagation, trace, SpanKind, SpanStatusCode } = this.#peers;
    const spans = new WeakMap<FastifyRequest, Span>();
    // An answer whose client has gone may end too.
    const take = (request: FastifyRequest): Span | undefined => {
      const span = spans.get(request);
      spans.delete(request);
      return span;
    };
    app.addHook('onRequest', (request, reply, done) => {
      const { method, headers, routeOptions } = request;
      const route = routeOptions.url ?? 'none';
      const parent = propagation.extract(context.active(), headers);
      const attributes = { 'http.request.method': method, 'http.route': route };
      const options = { kind: SpanKind.SERVER, attributes };
      const span = this.#tracer.startSpan(`${method} ${route}`, options, parent);
      spans.set(request, span);
      onLeave(request, reply, () => take(request)?.setAttribute('llamagen.aborted', true).end());
      // What is done for the request is done within it.
      context.with(trace.setSpan(parent, span), done);
    });
    app.addHook('onResponse', async (request, { statusCode }) => {
      const span = take(request);
      span?.setAttribute('http.response.status_code', statusCode);
      if (statusCode >= 500) span?.setStatus({ code: SpanStatusCode.ERROR });
      span?.end();
    });
  }

  follow<E extends TracedEvent>(events: AsyncIterable<E>): AsyncIterableIterator<E> {
    return this.#follow(events, this.#peers.context.active());
  }

  /** One span after the other: in the queue, being drawn, being decoded. */
  async *#follow<E extends TracedEvent>(
    events: AsyncIterable<E>,
    parent: Context,
  ): AsyncGenerator<E, void> {
    let span = this.#tracer.startSpan('queue', {}, parent);
    let isDrawn = false;
    try {
      for await (const event of events) {
        if (event.type === 'started') {
          span.end();
          span = this.#tracer.startSpan('draw', {}, parent);
        } else if (event.type === 'resumed') {
          span.addEvent('resumed', { 'llamagen.tokens': event.done ?? 0 });
        } else if (event.type === 'image') {
          isDrawn = true;
          this.#endDrawn(span, event, parent);
        }
        yield event;
      }
    } catch (error) {
      if (!isDrawn) fail(span, error, this.#peers.SpanStatusCode.ERROR);
      throw error;
    } finally {
      if (!isDrawn) span.setAttribute('llamagen.unfinished', true).end();
    }
  }

  /** An event tells how long pixels took, not when they were begun: they are what came last. */
  #endDrawn(span: Span, { passes, decodeMs = 0 }: TracedEvent, parent: Context): void {
    const end = Date.now();
    const attributes: Attributes = passes === undefined ? {} : { 'llamagen.passes': passes };
    span.setAttributes(attributes).end(end - decodeMs);
    this.#tracer.startSpan('decode', { startTime: end - decodeMs }, parent).end(end);
  }
}

function fail(span: Span, error: unknown, code: number): void {
  if (error instanceof Error) span.recordException(error);
  span.setStatus({ code });
}
