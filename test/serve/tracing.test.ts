/** Traces, told to a receiver of OTLP over HTTP on this machine. */
import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFolder } from '../../src/node/files.ts';
import { createServer as createApi, type Server } from '../../src/serve/app.ts';
import type { Backend } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { openTracing, type Tracing, wantsTracing } from '../../src/serve/tracing.ts';
import { tempFolder, until, writeSlowModel } from './worker-jobs.ts';

interface Sent {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: object }[];
  readonly status: { readonly code?: number };
}

interface Body {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly { readonly key: string }[] };
    readonly scopeSpans: readonly { readonly spans: readonly Sent[] }[];
  }[];
}

const folder = tempFolder();
const bodies: Body[] = [];
let receiver: HttpServer;
let backend: Backend;
let tracing: Tracing;
let server: Server;

beforeAll(async () => {
  receiver = createServer(async (request, response) => {
    let text = '';
    for await (const part of request) text += part;
    bodies.push(JSON.parse(text));
    response.setHeader('content-type', 'application/json').end('{}');
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const address = receiver.address();
  if (typeof address !== 'object' || !address) throw new Error('no address');
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${address.port}`;
  process.env.OTEL_RESOURCE_ATTRIBUTES = 'deployment.environment=test';
  process.env.OTEL_BSP_SCHEDULE_DELAY = '50';
  writeSlowModel(folder.path);
  backend = await createLocalBackend({ files: openFolder(folder.path) });
  const opened = await openTracing();
  if (!opened) throw new Error('no tracing');
  tracing = opened;
  server = await createApi({ backend, tracing });
});

afterAll(async () => {
  await server?.close(0);
  await backend?.close(0);
  await tracing?.close();
  receiver?.close();
  folder.remove();
});

const spans = (): Sent[] =>
  bodies.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)),
  );

const TRACE = '0af7651916cd43dd8448eb211c80319c';

const generate = async (body: object, trace = TRACE): Promise<{ readonly statusCode: number }> =>
  server.app.inject({
    method: 'POST',
    url: '/v1/images/generations',
    headers: { traceparent: `00-${trace}-b7ad6b7169203331-01` },
    payload: body,
  });

test('a request is a span in the trace of its client, with those of its image one after the other', async () => {
  const response = await generate({ prompt: 'class:2', seed: 1, size: 'auto' });
  expect(response.statusCode).toBe(200);
  await until(() => spans().some(({ name }) => name.startsWith('POST')));
  const own = spans().filter(({ traceId }) => traceId === TRACE);
  const [request, queue, draw, decode] = [
    'POST /v1/images/generations',
    'queue',
    'draw',
    'decode',
  ].map((name) => own.find((span) => span.name === name));
  expect(own).toHaveLength(4);
  expect(request?.parentSpanId).toBe('b7ad6b7169203331');
  let last = BigInt(request!.startTimeUnixNano);
  for (const span of [queue, draw, decode]) {
    expect(span?.parentSpanId).toBe(request?.spanId);
    // Clocks of spans count whole milliseconds.
    expect(BigInt(span!.startTimeUnixNano)).toBeGreaterThanOrEqual(last - 2_000_000n);
    expect(BigInt(span!.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span!.startTimeUnixNano));
    last = BigInt(span!.endTimeUnixNano);
  }
  expect(BigInt(request!.endTimeUnixNano)).toBeGreaterThanOrEqual(last - 2_000_000n);
  const status = request?.attributes.find(({ key }) => key === 'http.response.status_code');
  expect(status?.value).toEqual({ intValue: 200 });
});

test('nothing that is sent has a prompt or a command line in it', async () => {
  const requests = (): number => spans().filter(({ name }) => name.startsWith('POST')).length;
  const before = requests();
  expect((await generate({ prompt: 'class 3', seed: 1 })).statusCode).toBe(200);
  await until(() => requests() > before);
  const text = JSON.stringify(bodies);
  expect(text).toContain('deployment.environment');
  expect(text).toContain('"llamagen"');
  expect(text).not.toMatch(/class.3|process\.command|vitest/);
});

test('a request that is refused is a span without an image', async () => {
  const trace = '11111111111111111111111111111111';
  const response = await generate({ prompt: 'class:2', n: 0 }, trace);
  expect(response.statusCode).toBe(400);
  await until(() => spans().some(({ traceId }) => traceId === trace));
  const own = spans().filter(({ traceId }) => traceId === trace);
  expect(own.map(({ name }) => name)).toEqual(['POST /v1/images/generations']);
});

test('an image whose reader leaves ends its span unfinished', async () => {
  const stop = new AbortController();
  const job = { model: 'tiny', condition: { classIndex: 1 }, seed: 9 };
  for await (const event of tracing.follow(backend.submit(job, { signal: stop.signal }))) {
    if (event.type === 'started') break;
  }
  const unfinished = (): Sent | undefined =>
    spans().find(({ attributes }) => attributes.some(({ key }) => key === 'llamagen.unfinished'));
  await until(() => unfinished() !== undefined);
  expect(unfinished()?.name).toBe('draw');
});

test('a request whose client leaves is a span that says so', async () => {
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  const leaving = new AbortController();
  const trace = '22222222222222222222222222222222';
  const left = fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    signal: leaving.signal,
    headers: {
      'content-type': 'application/json',
      traceparent: `00-${trace}-b7ad6b7169203331-01`,
    },
    body: JSON.stringify({ prompt: 'class:1', n: 10 }),
  });
  await until(() => backend.load().running > 0);
  leaving.abort();
  await expect(left).rejects.toThrow();
  const request = (): Sent | undefined =>
    spans().find(({ traceId, name }) => traceId === trace && name.startsWith('POST'));
  await until(() => request() !== undefined);
  expect(request()?.attributes.map(({ key }) => key)).toContain('llamagen.aborted');
});

describe('traces are asked for', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };

  test.each([
    [{}, false],
    [{ OTEL_SERVICE_NAME: 'images' }, false],
    [endpoint, true],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:4318/v1/traces' }, true],
    [{ ...endpoint, OTEL_SDK_DISABLED: 'true' }, false],
    [{ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }, false],
  ])('by %j: %s', async (env, asked) => {
    expect(wantsTracing(env)).toBe(asked);
    if (!asked) expect(await openTracing(env)).toBe(undefined);
  });
});
