/** `llamagen serve` as a process: how it starts, what it refuses, how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { llamagen } from '../support/llamagen.ts';
import { ROOT } from '../support/sources.ts';
import { until } from '../support/until.ts';
import { tempFolder, writeSlowModel } from './worker-jobs.ts';

const folder = tempFolder();
const model = join(folder.path, 'slow');
const keys = join(folder.path, 'keys');
const KEY = 'a-key-for-this-test';

beforeAll(() => {
  writeSlowModel(model);
  writeFileSync(keys, `# of a client\n\n${KEY}\n`);
});
afterAll(() => folder.remove());

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly err: () => string;
}

async function start(...args: string[]): Promise<Running> {
  const main = join(ROOT, 'src', 'cli', 'main.ts');
  const serve = ['serve', '--json', '--model', model, '--port', '0', ...args];
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, ...serve], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  await until(() => out.endsWith('}\n') || child.exitCode !== null);
  if (child.exitCode !== null) throw new Error(err);
  return { child, url: JSON.parse(out).url, err: () => err };
}

const ask = (url: string, body: object): Promise<Response> =>
  fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${KEY}` },
    body: JSON.stringify(body),
  });

test('SIGTERM under load loses no request that was taken, and ends with 0', async () => {
  const { child, url, err } = await start(
    ...['--api-key-file', keys, '--capacity', '2', '--shutdown-timeout', '100'],
  );
  const answers = Array.from({ length: 5 }, (_, seed) => ask(url, { prompt: 'class 1', seed }));
  const stream = ask(url, { prompt: 'class 2', stream: true, partial_images: 2 });
  const first = await stream; // all were taken before it
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  expect(statuses).toEqual([200, 200, 200, 200, 200]);
  expect(await first.text()).toContain('event: image_generation.completed');
  expect((await exit)[0]).toBe(0);
  expect(err()).toContain('stopping: what runs has 100 s to finish');
  expect(err()).not.toContain(KEY);
});

test('what takes longer than it may is handed back with 503', async () => {
  const { child, url } = await start(
    ...['--api-key-file', keys, '--capacity', '2', '--shutdown-timeout', '0.1'],
  );
  const many = ask(url, { prompt: 'class 1', n: 10 });
  const stream = await ask(url, { prompt: 'class 2', n: 10, stream: true });
  const exit = once(child, 'exit');
  child.kill('SIGINT');
  const answer = await many;
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(await stream.text()).toContain('"code":"shutting_down"');
  expect((await exit)[0]).toBe(0);
});

describe('is refused', () => {
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stderr, stdout } = await llamagen(['serve', '--model', model, ...args]);
    expect([code, stdout.includes('page')]).toEqual([2, false]);
    return stderr;
  };

  test('keys that are none', async () => {
    const short = join(folder.path, 'short');
    writeFileSync(short, `${KEY}\nabc\n`);
    expect(await refused('--api-key-file', short)).toMatch(/line 2 of .* is no key/);
    expect(await refused('--api-key-file', `${short}er`)).toMatch(/cannot be read: no such file/);
    writeFileSync(short, '# none\n');
    expect(await refused('--api-key-file', short)).toMatch(/has no key/);
  });

  test('names and addresses that mean nothing', async () => {
    expect(await refused('--alias', 'gpt-image-1=nothing')).toMatch(
      /"gpt-image-1" means "nothing", and the model here is tiny/,
    );
    expect(await refused('--alias', 'gpt-image-1')).toMatch(/Expected NAME=MODEL/);
    expect(await refused('--cors', 'example.org')).toMatch(/Expected an origin/);
    expect(await refused('--trust-proxy', 'any')).toMatch(/Expected an address/);
    expect(await refused('--trust-proxy', '10.0.0.0/33')).toMatch(/Expected an address/);
    expect(await refused('--public-url', 'example.org')).toMatch(/Expected a URL/);
    expect(await refused('--port', '70000')).toMatch(/from 0 to 65535/);
  });

  test('without the packages that it needs, which it names', async () => {
    // As it is where llamagen-webgpu alone was installed.
    const hook = `export async function resolve(name, context, next) {
      if (name !== 'fastify') return next(name, context);
      const error = new Error("Cannot find package 'fastify' imported from here");
      throw Object.assign(error, { code: 'ERR_MODULE_NOT_FOUND' });
    }`;
    const url = (text: string) => `data:text/javascript,${encodeURIComponent(text)}`;
    const register = `import { register } from 'node:module'; register(${JSON.stringify(url(hook))});`;
    const { code, stderr } = await llamagen(['serve', '--model', model], {
      env: { NODE_OPTIONS: `--import ${url(register)}` },
    });
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /fastify is not installed: run "npm install fastify .*sharp prom-client"/,
    );
  });

  test('a port that is taken, and one without a key at all addresses is warned of', async () => {
    const { child, url, err } = await start('--host', '0.0.0.0');
    expect(err()).toContain('warning: whoever reaches 0.0.0.0 can draw, without a key');
    const port = new URL(url).port;
    expect(await refused('--port', port)).toMatch(/--port: \d+ is in use at 127.0.0.1/);
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
});
