/** Requests for images of texts over HTTP, which a queue takes, refuses, or loses the workers of. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Backend } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { queueAddress } from '../../src/serve/queue/address.ts';
import { createQueueBackend } from '../../src/serve/queue/queue-backend.ts';
import { type QueueWorker, startQueueWorker } from '../../src/serve/queue/queue-worker.ts';
import { tinyTextFolder } from '../support/tiny-text-model.ts';
import { HAS_REDIS, startRedis, type TestRedis } from './redis.ts';
import { answerOf, type Served, serve } from './support.ts';
import { eventsOf, imageIn, until } from './worker-jobs.ts';

describe.skipIf(!HAS_REDIS)('requests through a queue', () => {
  const lines: string[] = [];
  let redis: TestRedis;
  let local: Backend;
  let worker: QueueWorker;
  let backend: Backend;
  let served: Served;

  beforeAll(async () => {
    redis = await startRedis();
    local = await createLocalBackend({ files: tinyTextFolder() });
    const address = queueAddress(redis.url);
    worker = await startQueueWorker({ address, backend: local });
    backend = await createQueueBackend({ address });
    await until(() => backend.ready());
    const log = { level: 'debug', stream: { write: (line: string) => lines.push(line) } };
    served = await serve({ backend, log });
  });

  afterAll(async () => {
    await served?.close();
    await backend?.close(0);
    await worker?.close(0);
    await local?.close(0);
    await redis?.remove();
  });

  test('are refused for wrong settings at once, in streams too', async () => {
    for (const stream of [false, true]) {
      const response = await served.post({ prompt: 'two lemon', temperature: -1, stream });
      expect(response.status).toBe(400);
      expect((await answerOf(response)).error).toMatchObject({ param: 'temperature' });
    }
  });

  test('that Redis refuses are told with 503, and their prompts are in no log', async () => {
    const admin = new Redis(redis.url);
    await admin.acl('SETUSER', 'default', '-eval', '-evalsha');
    try {
      for (const stream of [false, true]) {
        const response = await served.post({ prompt: 'red lemon', stream });
        expect(await response.text()).toContain('"code":"device_lost"');
        if (!stream) expect(response.status).toBe(503);
      }
    } finally {
      await admin.acl('SETUSER', 'default', '+@all');
    }
    admin.disconnect();
    const metrics = await (await fetch(`${served.url}/metrics`)).text();
    expect(metrics).toContain('llamagen_requests_refused_total{code="device_lost"} 2\n');
    const faults = lines.filter((line) => line.includes('"level":50'));
    expect(faults).toHaveLength(2);
    for (const fault of faults) expect(fault).toMatch(/the queue did not take this image: NOPERM/);
    expect(lines.join('')).not.toContain('red lemon');
  });

  test('that were left to other workers are not answered with other pixels', async () => {
    const address = queueAddress(redis.url, 'replaced');
    const first = await startQueueWorker({ address, backend: local });
    const api = await createQueueBackend({ address });
    await first.close(0);
    const [model] = local.models;
    if (!model) throw new Error('no model');
    const job = { model: model.name, condition: { prompt: 'two lemon' }, seed: 1 };
    const events = eventsOf(api, job).catch((error) => error);
    const fingerprint = { text: `${model.fingerprint.text}\nother`, digest: 'other' };
    const others: Backend = {
      models: [{ ...model, fingerprint }],
      load: () => local.load(),
      submit: (asked, options) => local.submit(asked, options),
      ready: () => local.ready(),
      close: (deadlineMs) => local.close(deadlineMs),
    };
    const second = await startQueueWorker({ address, backend: others });
    expect(await events).toMatchObject({
      name: 'DeviceError',
      message: expect.stringContaining('replaced by others, which draw other pixels'),
    });
    await until(() => api.models[0]?.fingerprint.digest === 'other');
    expect(imageIn(await eventsOf(api, job)).picture.width).toBeGreaterThan(0);
    await api.close(0);
    await second.close(0);
  });
});
