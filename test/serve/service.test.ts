/** What a server does for its clients beside drawing: streams, URLs, keys, bounds, an end in good order. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiKeys } from '../../src/serve/api-keys.ts';
import type { Backend } from '../../src/serve/backend.ts';
import { until } from '../support/until.ts';
import { answerOf, bytesOf, pngFacts, type Served, serve, tinyBackend } from './support.ts';

let backend: Backend;
let served: Served;

beforeAll(async () => {
  backend = await tinyBackend({ capacity: 2 });
  served = await serve({ backend });
});

afterAll(async () => {
  await served.close();
  await backend.close(0);
});

/** Events of a stream as they were sent. */
const eventsOf = (text: string): { event: string; data: Record<string, unknown> }[] =>
  [...text.matchAll(/event: (.+)\ndata: (.+)\n\n/g)].map(([, event = '', data = '']) => ({
    event,
    data: JSON.parse(data),
  }));

/** Seeds of the images that the page shows to whoever asks so. */
async function shownBy({ url }: Served, headers: Record<string, string> = {}): Promise<number[]> {
  const status = await fetch(`${url}/status`, { headers });
  const { images } = (await status.json()) as { images: { seed: number }[] };
  return images.map(({ seed }) => seed);
}

const idle = () => until(() => backend.load().running + backend.load().waiting === 0);

describe('streams', () => {
  test('send previews and images as they come', async () => {
    const response = await served.post({
      ...{ prompt: '1', n: 2, stream: true, partial_images: 1, seed: 8 },
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const text = await response.text();
    expect(text).toMatch(/^: taken\n\n/);
    const events = eventsOf(text);
    for (const { event, data } of events) expect(data.type).toBe(event);
    const of = (image: number) => events.filter(({ data }) => data.image_index === image);
    for (const image of [0, 1]) {
      expect(of(image).map(({ event }) => event)).toEqual([
        'image_generation.partial_image',
        'image_generation.completed',
      ]);
      expect(of(image).at(-1)?.data).toMatchObject({ seed: 8 + image, output_format: 'png' });
    }
  });
});

test('previews of images of another size have the size of the model', async () => {
  const any = await serve({ backend, resize: true });
  const body = { prompt: '1', stream: true, partial_images: 1, size: '64x32' };
  const events = eventsOf(await (await any.post(body)).text());
  const sizes = events.map(({ data }) => {
    const { width, height } = pngFacts(bytesOf(String(data.b64_json)));
    return [data.size, `${width}x${height}`];
  });
  expect(sizes).toEqual([
    ['8x8', '8x8'],
    ['64x32', '64x32'],
  ]);
  await any.close();
});

describe('URLs', () => {
  test('give the image, to anyone who has one', async () => {
    const body = { prompt: '2', seed: 4, output_format: 'webp' };
    const [byUrl, inline] = await Promise.all([
      served.post({ ...body, response_format: 'url' }).then(answerOf),
      served.post(body).then(answerOf),
    ]);
    const { url = '' } = byUrl.data[0] ?? {};
    expect(url).toMatch(new RegExp(`^${served.url}/images/[\\w-]{32}$`));
    const response = await fetch(url);
    expect(response.headers.get('content-type')).toBe('image/webp');
    expect(response.headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytesOf(inline.data[0]?.b64_json));
  });

  test('are kept by browsers no longer than here', async () => {
    const brief = await serve({ backend, limits: { urlMs: 600_000 } });
    const { data } = await answerOf(await brief.post({ prompt: '2', response_format: 'url' }));
    const { headers } = await fetch(data[0]?.url ?? '');
    const [, seconds] = /^private, max-age=(\d+), immutable$/.exec(
      headers.get('cache-control') ?? '',
    )!;
    expect(Number(seconds)).toBeLessThanOrEqual(600);
    await brief.close();
  });

  test('expire', async () => {
    const brief = await serve({
      backend,
      limits: { urlMs: 1 },
      publicUrl: 'https://images.example.org',
    });
    const answer = await answerOf(await brief.post({ prompt: '2', response_format: 'url' }));
    const { url = '' } = answer.data[0] ?? {};
    expect(url).toMatch(/^https:\/\/images\.example\.org\/images\//);
    const response = await fetch(url.replace('https://images.example.org', brief.url));
    expect(response.status).toBe(404);
    expect(await shownBy(brief)).toEqual([]);
    await brief.close();
  });
});

describe('idempotency keys', () => {
  const keyed = (key: string, body: object, headers = {}) =>
    served.post({ prompt: '5', ...body }, { 'idempotency-key': key, ...headers });

  test('draw once, whenever the request comes again', async () => {
    const before = backend.load().tokens;
    const [first, twin] = await Promise.all([keyed('a', {}), keyed('a', {})]);
    const later = await keyed('a', {});
    const answers = await Promise.all([first, twin, later].map(answerOf));
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    expect(later.headers.get('idempotent-replayed')).toBe('true');
    expect(backend.load().tokens - before).toBe(16);
  });

  test('of another request are refused, and of no characters too', async () => {
    await keyed('b', { n: 1 });
    expect((await keyed('b', { n: 2 })).status).toBe(422);
    expect((await keyed('x'.repeat(256), {})).status).toBe(400);
  });

  test('draw the same again when all who followed had left', async () => {
    const leaving = new AbortController();
    const slow = Array.from({ length: 4 }, (_, seed) => served.post({ prompt: '1', seed }));
    const left = fetch(`${served.url}/v1/images/generations`, {
      method: 'POST',
      signal: leaving.signal,
      headers: { 'content-type': 'application/json', 'idempotency-key': 'c' },
      body: JSON.stringify({ prompt: '5', stream: true }),
    });
    await (await left).body?.getReader().read();
    leaving.abort();
    await Promise.all(slow);
    await idle();
    const [again, third] = [await keyed('c', { stream: true }), await keyed('c', { stream: true })];
    expect(eventsOf(await again.text()).at(-1)?.data).toEqual(
      eventsOf(await third.text()).at(-1)?.data,
    );
  });
});

test('a client that leaves takes its images out', async () => {
  await idle();
  const leaving = new AbortController();
  const before = backend.load().tokens;
  const left = served.client.images
    .generate({ prompt: '1', n: 10 }, { signal: leaving.signal })
    .catch((error: Error) => error.constructor.name);
  await until(() => backend.load().waiting > 0);
  leaving.abort();
  expect(await left).toBe('APIUserAbortError');
  await idle();
  expect(backend.load().tokens - before).toBeLessThan(10 * 16);
});

describe('bounds', () => {
  test('more than may wait is refused, with when to come again', async () => {
    const small = await serve({ backend, limits: { waiting: 2 } });
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => small.post({ prompt: '1', n: 1 })),
    );
    const codes = answers.map(({ status }) => status).sort();
    expect(codes).toEqual([200, 200, 200, 429, 429, 429]);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await answerOf(refused)).error).toMatchObject({
      ...{ type: 'rate_limit_error', code: 'queue_full' },
    });
    // All are done, so there is room again.
    expect((await small.post({ prompt: '1', n: 3 })).status).toBe(200);
    await small.close();
  });

  test('of requests a minute', async () => {
    const small = await serve({ backend, limits: { requestsAMinute: 2 } });
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await small.post({ prompt: 'none' })).status);
    expect(statuses).toEqual([400, 400, 429]);
    const response = await small.post({ prompt: 'none' });
    expect((await answerOf(response)).error).toMatchObject({ code: 'rate_limit_exceeded' });
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    await small.close();
  });

  test('of requests a minute, of each client behind a proxy that is trusted', async () => {
    const statuses = async (proxies: readonly string[]) => {
      const small = await serve({ backend, proxies, limits: { requestsAMinute: 1 } });
      const codes = [];
      for (const ip of ['192.0.2.1', '192.0.2.2', '192.0.2.2']) {
        codes.push((await small.post({ prompt: 'none' }, { 'x-forwarded-for': ip })).status);
      }
      await small.close();
      return codes;
    };
    expect(await statuses(['127.0.0.0/8'])).toEqual([400, 400, 429]);
    expect(await statuses(['10.0.0.1'])).toEqual([400, 429, 429]);
  });

  test('of time', async () => {
    const brief = await serve({ backend, limits: { requestMs: 5 } });
    const response = await brief.post({ prompt: '1', n: 10 });
    expect([response.status, (await answerOf(response)).error?.code]).toEqual([504, 'timeout']);
    const stream = await brief.post({ prompt: '1', n: 10, stream: true });
    const text = await stream.text();
    expect(text).toContain('"code":"timeout"');
    const metrics = await (await fetch(`${brief.url}/metrics`)).text();
    expect(metrics).toContain('llamagen_requests_refused_total{code="timeout"} 2\n');
    await brief.close();
  });
});

describe('keys', () => {
  const [KEY, OTHER] = ['k'.repeat(32), 'o'.repeat(32)];
  let guarded: Served;

  beforeAll(async () => {
    guarded = await serve({ backend, apiKeys: new ApiKeys([KEY, OTHER]) });
  });
  afterAll(() => guarded.close());

  const bearing = (key: string) => ({ authorization: `Bearer ${key}` });

  test.each<[string, Record<string, string>]>([
    ['no key', {}],
    ['an empty key', { authorization: 'Bearer ' }],
    ['a wrong key', bearing('w'.repeat(32))],
    ['a part of a key', bearing(KEY.slice(0, -1))],
    ['a longer key', bearing(`${KEY}k`)],
    ['another scheme', { authorization: `Basic ${KEY}` }],
  ])('%s is refused', async (_, headers) => {
    for (const path of ['/v1/models', '/status', '/metrics', '/v1/images/generations']) {
      const response = await fetch(guarded.url + path, {
        headers,
        method: path.endsWith('generations') ? 'POST' : 'GET',
      });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toBe('Bearer');
      expect((await answerOf(response)).error).toMatchObject({
        ...{ type: 'authentication_error', code: 'invalid_api_key' },
      });
    }
  });

  test('health and documents need none', async () => {
    for (const path of ['/healthz', '/readyz', '/openapi.json', '/docs']) {
      expect((await fetch(guarded.url + path)).status).toBe(200);
    }
  });

  test('each sees its own images alone, and has idempotency keys of its own', async () => {
    const draw = (key: string) =>
      guarded.post({ prompt: '1' }, { ...bearing(key), 'idempotency-key': 'same' }).then(answerOf);
    const [mine, theirs] = [await draw(KEY), await draw(OTHER)];
    expect(mine.seed).not.toBe(theirs.seed);
    expect(await shownBy(guarded, bearing(OTHER))).toEqual([theirs.seed]);
  });

  test('have a limit of requests a minute of their own, from wherever they come', async () => {
    const apiKeys = new ApiKeys([KEY, OTHER]);
    const small = await serve({
      ...{ backend, apiKeys, proxies: ['127.0.0.1'], limits: { requestsAMinute: 1 } },
    });
    const statuses = [];
    for (const [key, ip] of [
      [KEY, '192.0.2.1'],
      [KEY, '192.0.2.2'],
      [OTHER, '192.0.2.2'],
    ] as const) {
      const headers = { ...bearing(key), 'x-forwarded-for': ip };
      statuses.push((await small.post({ prompt: 'none' }, headers)).status);
    }
    expect(statuses).toEqual([400, 429, 400]);
    await small.close();
  });

  test('where nobody needs one, addresses are told apart', async () => {
    const open = await serve({ backend, proxies: ['127.0.0.1'] });
    const from = (ip: string) => ({ 'x-forwarded-for': ip, 'idempotency-key': 'same' });
    const [one, two] = [from('192.0.2.1'), from('192.0.2.2')];
    const mine = await answerOf(await open.post({ prompt: '1' }, one));
    expect(await shownBy(open, two)).toEqual([]);
    const theirs = await answerOf(await open.post({ prompt: '1' }, two));
    expect(theirs.seed).not.toBe(mine.seed);
    expect(await shownBy(open, one)).toEqual([mine.seed]);
    await open.close();
  });
});

describe('the log', () => {
  test('has a line for each answer, and neither keys nor prompts unless asked', async () => {
    for (const logPrompts of [false, true]) {
      const lines: string[] = [];
      const key = 'secret-key-of-a-client';
      const logged = await serve({
        ...{ backend, logPrompts, apiKeys: new ApiKeys([key]) },
        log: { level: 'debug', stream: { write: (line) => lines.push(line) } },
      });
      const headers = { authorization: `Bearer ${key}` };
      const { data } = await answerOf(
        await logged.post({ prompt: 'class 6', response_format: 'url' }, headers),
      );
      await fetch(data[0]?.url ?? '');
      await logged.post({ prompt: 'hush hush' }, headers);
      await until(() => lines.filter((line) => line.includes('answered')).length === 3);
      const text = lines.join('');
      expect(text).toContain('"route":"/images/:id"');
      expect(text).toContain('"status":400');
      expect(text).not.toContain(key);
      expect(text).not.toContain(data[0]?.url?.split('/').at(-1));
      expect(text.includes('class 6')).toBe(logPrompts);
      await logged.close();
    }
  });

  test('has a line for each client that left, and takes it for no fault', async () => {
    const lines: string[] = [];
    const log = { level: 'debug', stream: { write: (line: string) => lines.push(line) } };
    const logged = await serve({ backend, log });
    for (const stream of [false, true]) {
      const leaving = new AbortController();
      const left = fetch(`${logged.url}/v1/images/generations`, {
        method: 'POST',
        signal: leaving.signal,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ prompt: '1', n: 10, stream }),
      }).then((response) => response.text());
      await until(() => backend.load().waiting > 0);
      leaving.abort();
      await expect(left).rejects.toThrow();
      await idle();
    }
    const told = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    await until(() => told().filter(({ code }) => code === 'client_left').length === 2);
    const metrics = await (await fetch(`${logged.url}/metrics`)).text();
    expect(metrics).toContain('llamagen_requests_refused_total{code="client_left"} 2\n');
    await logged.close();
    const [INFO, generations] = [30, '/v1/images/generations'];
    expect(told().filter(({ level }) => Number(level) > INFO)).toEqual([]);
    expect(told().filter(({ route }) => route === generations)).toMatchObject([
      ...[{ msg: 'left' }, { msg: 'left' }],
    ]);
  });
});

describe('the end', () => {
  test('finishes what was taken, takes no more, and hands back what takes too long', async () => {
    for (const deadlineMs of [60_000, 0]) {
      const ending = await serve({ backend });
      const { url } = ending;
      const taken = [1, 2, 3].map(() => ending.post({ prompt: '1', n: 2 }));
      await until(() => backend.load().running + backend.load().waiting === 6);
      const closed = ending.server.close(deadlineMs);
      await expect(fetch(`${url}/healthz`)).rejects.toThrow();
      const statuses = (await Promise.all(taken)).map(({ status }) => status);
      expect(statuses).toEqual(deadlineMs > 0 ? [200, 200, 200] : [503, 503, 503]);
      await closed;
      await idle();
    }
  });
});
