/** Clients that are slow, gone, many, or up to no good. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiKeys } from '../../src/serve/api-keys.ts';
import { createServer } from '../../src/serve/app.ts';
import type { Backend } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import type { Limits } from '../../src/serve/server-options.ts';
import { tinyFolder } from '../support/tiny-model.ts';
import { answerOf, type Served, serve, tinyBackend } from './support.ts';
import { until } from './worker-jobs.ts';

let backend: Backend;
let served: Served;

const LIMITS: Partial<Limits> = { sendMs: 1000, receiveMs: 500, requestsAMinute: 0 };

beforeAll(async () => {
  // Images of 144 tokens take long enough to be left.
  backend = await createLocalBackend({ files: tinyFolder({ gpt: { block_size: 144 } }) });
  served = await serve({ backend, resize: true, limits: LIMITS });
});
afterAll(async () => {
  await served.close();
  await backend.close(0);
});

const idle = () => until(() => backend.load().running + backend.load().waiting === 0);

const connections = (): Promise<number> =>
  new Promise((resolve) => {
    served.server.app.server.getConnections((_, count) => resolve(count));
  });

const portOf = ({ url }: Served): number => Number(new URL(url).port);

/** A connection by hand, and all that came over it. */
function dial(
  port = portOf(served),
  options: { readonly allowHalfOpen?: boolean } = {},
): {
  readonly socket: Socket;
  readonly closed: Promise<string>;
} {
  const socket = connect({ port, host: '127.0.0.1', ...options });
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  socket.on('error', () => {}); // what was cut may say so
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  return { socket, closed };
}

const head = (body: string) =>
  `POST /v1/images/generations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

describe('clients that are slow', () => {
  test('to read what they asked for are cut', async () => {
    const { socket } = dial();
    socket.pause();
    // 30 MB in all: more than any buffer on the way holds.
    const get = 'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nhost: localhost\r\n\r\n';
    socket.write(get.repeat(20));
    await until(async () => (await connections()) === 1);
    await until(async () => (await connections()) === 0);
    socket.destroy();
  });

  test('to read, but read all the time, get all of it, however long it takes', async () => {
    const [sendMs, bytes] = [2000, 48 * 2 ** 20];
    const large = await createServer({ backend, limits: { sendMs } });
    large.app.get('/large', () => Buffer.alloc(bytes));
    const port = Number(new URL(await large.listen({ host: '127.0.0.1', port: 0 })).port);
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /large HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    let read = 0;
    const start = performance.now();
    // Paused between the parts, so that the limit passes twice and more before the last one.
    for await (const part of socket) {
      read += part.length;
      const due = start + (read / bytes) * 2.5 * sendMs;
      await sleep(Math.max(0, due - performance.now()));
    }
    expect(read).toBeGreaterThan(bytes);
    expect(performance.now() - start).toBeGreaterThan(2 * sendMs);
    await large.close(0);
  });

  test('to send a request are cut', async () => {
    const { socket, closed } = dial();
    const dribble = setInterval(() => socket.write('x: y\r\n'), 100);
    socket.write('POST /v1/images/generations HTTP/1.1\r\nhost: localhost\r\n');
    expect(await closed).toMatch(/^HTTP\/1.1 408 [\s\S]*"type":"invalid_request_error"/);
    clearInterval(dribble);
  });

  test('to send a body are cut', async () => {
    const { socket, closed } = dial();
    socket.write(head('{"prompt": "1"}').slice(0, -3));
    expect(await closed).toMatch(/^HTTP\/1.1 408 /);
  });

  test('to close what was refused keep no place of those that there are', async () => {
    const { socket } = dial(portOf(served), { allowHalfOpen: true });
    await once(socket, 'end');
    expect(socket.writable).toBe(true);
    await until(async () => (await connections()) === 0);
    socket.destroy();
  });
});

describe('clients that are gone', () => {
  /** A process that reads a stream until it is killed. */
  async function streaming(): Promise<ChildProcess> {
    const script = `
      const response = await fetch(${JSON.stringify(`${served.url}/v1/images/generations`)}, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: 'class 1', n: 10, stream: true, partial_images: 3 }),
      });
      for await (const _ of response.body) console.log('event');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    return child;
  }

  test('killed within a stream: its images are not drawn on', async () => {
    const before = backend.load().tokens;
    const child = await streaming();
    child.kill('SIGKILL');
    await once(child, 'exit');
    await idle();
    expect(backend.load().tokens - before).toBeLessThan(10 * 144);
    expect(backend.load().slotsInUse).toBe(0);
    await until(async () => (await connections()) === 0);
  });

  test('with several requests under way on one connection: none of them is drawn on', async () => {
    const before = backend.load().tokens;
    const { socket } = dial();
    socket.write(head('{"prompt": "class 1", "n": 10}').repeat(4));
    await until(() => backend.load().running + backend.load().waiting === 40);
    socket.destroy();
    await idle();
    // Those of the first alone were taken out once: the other thirty were drawn to their end.
    expect(backend.load().tokens - before).toBeLessThan(30 * 144);
  });
});

describe('clients up to no good', () => {
  test.each<[string, string, number]>([
    ['noise', `\0\x01\x02${'\xff'.repeat(100)}\r\n\r\n`, 400],
    ['no HTTP', 'hello\r\n\r\n', 400],
    ['a flood of headers', `GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(20_000)}\r\n`, 431],
    ['a huge header', `GET / HTTP/1.1\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`, 431],
    ['two lengths', 'POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', 400],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
  ])('%s: refused, in the form of the API', async (_, bytes, status) => {
    const { socket, closed } = dial();
    socket.write(bytes, 'latin1');
    const answer = await closed;
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '').error.message).toBeTypeOf('string');
  });

  test('a body in endless chunks is cut where it is too long', async () => {
    const { socket, closed } = dial();
    socket.write(
      'POST /v1/images/generations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`;
    const flood = setInterval(() => socket.write(chunk), 2);
    expect(await closed).toMatch(/^HTTP\/1.1 413 /);
    clearInterval(flood);
  });

  test('more connections than there may be are not answered', async () => {
    const small = await serve({ backend, limits: { connections: 2 } });
    const port = portOf(small);
    /** What a new connection is answered. */
    const answered = (): Promise<string> => {
      const { socket, closed } = dial(port);
      socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
      return closed;
    };
    const others = [dial(port), dial(port)];
    await Promise.all(others.map(({ socket }) => once(socket, 'connect')));
    expect(await answered()).toBe('');
    for (const { socket } of others) socket.destroy();
    await until(async () => (await answered()).startsWith('HTTP/1.1 200'));
    await small.close();
  });

  /** By a name that fetch would not send. */
  const asking = async (host: string, headers: Record<string, string> = {}): Promise<number> => {
    const sent = request(`${served.url}/v1/models`, { headers: { host, ...headers } }).end();
    const [response] = await once(sent, 'response');
    response.resume();
    return response.statusCode;
  };

  test('a page whose name was made to mean this machine is refused', async () => {
    expect(await asking('evil.example')).toBe(403);
    expect(await asking('localhost.evil.example')).toBe(403);
    expect(await asking('127.0.0.1.evil.example:80')).toBe(403);
    expect(await asking('localhost:1234')).toBe(200);
    expect(await asking('[::1]')).toBe(200);
  });

  test('pages of other origins get no answer that they may read, unless they are named', async () => {
    const origin = 'https://app.example';
    const plain = await fetch(`${served.url}/v1/models`, { headers: { origin } });
    expect(plain.headers.get('access-control-allow-origin')).toBeNull();
    const open = await serve({ backend, origins: [origin] });
    for (const [from, allowed] of [
      [origin, origin],
      ['https://evil.example', null],
    ] as const) {
      const answer = await fetch(`${open.url}/v1/images/generations`, {
        method: 'OPTIONS',
        headers: {
          origin: from,
          'access-control-request-method': 'POST',
          'access-control-request-headers': 'content-type,authorization',
        },
      });
      const said = answer.headers.get('access-control-allow-origin');
      expect(said === from ? said : null).toBe(allowed);
    }
    await open.close();
  });

  test('keys take as long to refuse however much of them is right', () => {
    const key = 'k'.repeat(4096);
    const keys = new ApiKeys([key, 'another-key-of-this-server']);
    const wrong = { none: 'x'.repeat(4096), nearly: `${key.slice(0, -1)}x` };
    const times: Record<keyof typeof wrong, number[]> = { none: [], nearly: [] };
    for (let i = 0; i < 4000; i++) {
      for (const name of i % 2 === 0
        ? (['none', 'nearly'] as const)
        : (['nearly', 'none'] as const)) {
        const start = performance.now();
        expect(keys.clientOf(wrong[name])).toBeUndefined();
        times[name].push(performance.now() - start);
      }
    }
    const median = (all: number[]): number => all.sort((a, b) => a - b)[all.length / 2] ?? 0;
    const ratio = median(times.nearly) / median(times.none);
    expect(ratio).toBeGreaterThan(0.8);
    expect(ratio).toBeLessThan(1.25);
  });
});

test('many clients at once: all are answered, with images or with when to come again', async () => {
  const small = await tinyBackend({ capacity: 8 });
  const busy = await serve({ backend: small, limits: { waiting: 12, requestsAMinute: 0 } });
  const result = await autocannon({
    url: `${busy.url}/v1/images/generations`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'class 2', n: 2 }),
    ...{ connections: 30, amount: 150, timeout: 60 },
  });
  expect(result.errors + result.timeouts).toBe(0);
  expect(Object.keys(result.statusCodeStats ?? {}).sort()).toEqual(['200', '429']);
  const { waiting, running, slotsInUse } = small.load();
  expect([waiting, running, slotsInUse]).toEqual([0, 0, 0]);
  expect((await answerOf(await busy.post({ prompt: 'class 2' }))).data).toHaveLength(1);
  await busy.close();
  await small.close(0);
});
