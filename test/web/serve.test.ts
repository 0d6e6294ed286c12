/** Where `npm run web` listens. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type PageServer, servePage } from '../../scripts/page/server.ts';
import { OptionError } from '../../src/errors.ts';

describe('the port of the page', () => {
  const open: PageServer[] = [];
  let other: Server;
  let taken: number;
  beforeEach(async () => {
    other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    taken = (other.address() as AddressInfo).port;
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()));
    await new Promise((resolve) => other.close(resolve));
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    vi.resetModules();
    process.exitCode = undefined;
  });

  const serve = async (port?: number): Promise<string> => {
    const server = await servePage({ port });
    open.push(server);
    return server.url;
  };
  const freed = async (): Promise<number> => {
    await new Promise((resolve) => other.close(resolve));
    return taken;
  };

  test('is the one asked for, else a free one', async () => {
    expect(await serve(0)).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    expect(await serve()).not.toContain(`:${taken}/`);
    const port = await freed();
    const url = await serve(port);
    expect(url).toBe(`http://127.0.0.1:${port}/`);
    expect(await (await fetch(url)).text()).toContain('<script');
  });

  test('that another program has is an error that says what to do', async () => {
    const problem = await servePage({ port: taken }).catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(OptionError);
    expect(String(problem)).toMatch(`port ${taken} cannot be used (`);
    expect(String(problem)).toMatch(/--port or PORT/);
  });

  const run = async (args: readonly string[], env: string): Promise<[unknown, string]> => {
    let said = '';
    const say = (text: unknown): boolean => {
      said += `${text}\n`;
      return true;
    };
    vi.spyOn(console, 'error').mockImplementation(say);
    vi.spyOn(console, 'log').mockImplementation(say);
    vi.spyOn(process.stderr, 'write').mockImplementation(say);
    vi.stubEnv('PORT', env);
    const argv = process.argv;
    process.argv = ['node', 'serve.ts', ...args];
    await import('../../scripts/page/serve.ts');
    process.argv = argv;
    return [process.exitCode, said];
  };

  test.each([
    ['PORT', () => [], () => String(taken)],
    ['--port, which is stronger', () => ['--port', String(taken)], () => '1'],
  ])('comes from %s', async (_, args, env) => {
    expect(await run(args(), env())).toEqual([2, expect.stringContaining(`web: port ${taken}`)]);
  });

  test.each([
    ['PORT', [], 'http', /from env 'PORT' is invalid. Expected a whole number from 0 to 65535/],
    ['--port', ['--port', '65536'], '', /--port.*is invalid. Expected a whole number/],
  ])('in %s has to be one', async (_, args, env, message) => {
    expect(await run(args, env)).toEqual([2, expect.stringMatching(message)]);
  });
});
