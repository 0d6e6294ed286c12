/** `llamagen serve --queue` and `llamagen worker` as processes, over HTTP. */
import { once } from 'node:events';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFolder } from '../../src/node/files.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { generate, type Run, startLlamagen, stop } from './commands.ts';
import { HAS_REDIS, startRedis, type TestRedis } from './redis.ts';
import { jobOf, pixelsOf, tempFolder, until, writeSlowModel } from './worker-jobs.ts';

const folder = tempFolder();
const runs: Run[] = [];
let redis: TestRedis;

function llamagen(args: readonly string[], env?: Readonly<Record<string, string>>): Run {
  const run = startLlamagen(args, env);
  runs.push(run);
  return run;
}

describe.skipIf(!HAS_REDIS)('the commands of a queue', () => {
  beforeAll(async () => {
    redis = await startRedis();
    writeSlowModel(folder.path);
  });

  afterAll(async () => {
    await Promise.all(runs.map((run) => stop(run, 'SIGKILL')));
    await redis?.remove();
    folder.remove();
  });

  test('serve what a worker draws, and end in good order', async () => {
    const api = llamagen(['serve', '--queue', redis.url, '--port', '0', '--json']);
    // The address of a queue may come from the environment.
    const worker = llamagen(['worker', '--model', folder.path], { LLAMAGEN_QUEUE: redis.url });
    await until(() => api.out().endsWith('}\n'));
    expect(api.err()).toMatch(/no worker has come to the queue "llamagen" yet/);
    const { url, model } = JSON.parse(api.out());
    expect(model).toBe('tiny');
    const response = await generate(url, { prompt: 'class:1', seed: 1 });
    expect(response.status).toBe(200);
    const { data } = (await response.json()) as { data: { b64_json: string }[] };
    const png = Buffer.from(data[0]?.b64_json ?? '', 'base64');
    const pixels = await sharp(png).ensureAlpha().raw().toBuffer();
    const local = await createLocalBackend({ files: openFolder(folder.path) });
    expect(Buffer.compare(pixels, await pixelsOf(local, jobOf(1)))).toBe(0);
    await local.close(0);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^llamagen_workers 1$/m);
    expect(await stop(api, 'SIGTERM')).toBe(0);
    expect(await stop(worker, 'SIGTERM')).toBe(0);
    expect(worker.out()).toMatch(/^queue +llamagen at redis:\/\/127\.0\.0\.1:\d+$/m);
  });

  test.each([
    [['worker'], /required option '--queue <url>'/],
    [['worker', '--queue', 'http://127.0.0.1'], /--queue expected an address such as redis/],
    [['worker', '--queue', 'redis://h', '--queue-name', 'a:b'], /letters, digits/],
    [['serve', '--queue', 'redis://h', '--workers', '2'], /cannot be used with/],
    [['serve', '--queue', 'redis://h', '--model', 'fruits-96'], /cannot be used with .*'--model/],
    [['serve', '--queue', 'redis://h', '--dtype', 'f16'], /cannot be used with .*'--dtype/],
    [
      ['serve', '--queue', 'redis://h', '--precision', 'fast'],
      /cannot be used with .*'--precision/,
    ],
  ])('%j is refused', async (args, message) => {
    const run = llamagen(args);
    const [code] = await once(run.process, 'exit');
    expect(code).toBe(2);
    expect(run.err()).toMatch(message);
  });
});
