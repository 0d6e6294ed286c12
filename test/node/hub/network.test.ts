/** Without a network, and with servers that take connections and do nothing with them. */
import { createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Connections } from '../../../src/node/hub/connections.ts';
import { DEFAULT_TIMING } from '../../../src/node/hub/settings.ts';
import { type Listening, listening } from '../../support/proxy.ts';
import { download, failure, hub, notes, QUICK, useHub } from './fixture.ts';

let server: Listening | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

describe('without a network', () => {
  useHub();
  const GONE = { HF_ENDPOINT: 'http://127.0.0.1:1' };

  test('a download is given up after contactMs, whatever tries are left', async () => {
    expect(DEFAULT_TIMING.contactMs).toBeLessThan(5000);
    const start = performance.now();
    const timing = { ...QUICK, retries: 50, firstWaitMs: 100, longestWaitMs: 100, contactMs: 800 };
    const { problem, message } = await failure({ env: GONE, timing });
    expect(problem).toBe('network');
    expect(message).toMatch(
      /refuses connections; gave up after \d tries: check the network; .*HTTPS_PROXY.*HF_ENDPOINT/,
    );
    expect(performance.now() - start).toBeLessThan(3000);
    expect(notes[0]).toMatch(/refuses connections: trying again/);
  });

  test('once something was reached, all tries are made', async () => {
    hub.always('hub', (_, res) => void res.destroy());
    const timing = { ...QUICK, retries: 2, firstWaitMs: 60, longestWaitMs: 60, contactMs: 50 };
    expect((await failure({ timing })).message).toMatch(/gave up after 3 tries: run it again/);
  });

  test('a wait for another try ends when the user stops', async () => {
    const stop = new AbortController();
    const timing = { ...QUICK, firstWaitMs: 3000, contactMs: 60_000 };
    const onNote = () => stop.abort(new Error('stop now'));
    await expect(download({ env: GONE, timing, signal: stop.signal, onNote })).rejects.toThrow(
      'stop',
    );
  });
});

describe('a connection', () => {
  const timing = { silenceMs: 60_000, contactMs: 60_000 };
  const target = { host: 'hub.invalid', port: 80 };
  const proxies = { noProxy: '' };
  /** As with a server of names that is out of reach. */
  const lookup = (): void => {};

  test('whose name is looked up without end is given up after contactMs', async () => {
    const connections = new Connections({ proxies, timing: { ...timing, contactMs: 50 }, lookup });
    await expect(connections.open(target, true)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    expect(connections.contacted).toBe(false);
    const proxy = {
      kind: 'http',
      host: 'proxy.invalid',
      port: 80,
      variable: 'http_proxy',
    } as const;
    const through = { proxies: { ...proxies, http: proxy }, lookup };
    const viaProxy = new Connections({ ...through, timing: { ...timing, contactMs: 50 } });
    await expect(viaProxy.open(target, false)).rejects.toThrow(
      'the proxy proxy.invalid:80 of http_proxy makes no connection in time',
    );
  });

  test('that is being made ends with the reason it is given', async () => {
    const connections = new Connections({ proxies, timing, lookup });
    const making = [connections.open(target, true), connections.open(target, false)];
    connections.close(new Error('stop now'));
    for (const one of making) await expect(one).rejects.toThrow('stop now');
  });

  test.each([
    ['says nothing', () => {}, { code: 'ETIMEDOUT' }],
    ['closes', (socket: Socket) => void socket.end(), { code: 'ECONNRESET' }],
    ['answers in plain text', (socket: Socket) => void socket.end('no TLS'), { name: 'Error' }],
  ])('by TLS to a server that %s fails within silenceMs', async (_, answer, problem) => {
    const made = await listening(createServer((socket) => answer(socket.on('error', () => {}))));
    server = made;
    const connections = new Connections({ proxies, timing: { silenceMs: 100, contactMs: 50 } });
    const opened = connections.open({ host: '127.0.0.1', port: made.port }, true);
    await expect(opened).rejects.toMatchObject(problem);
    expect(connections.contacted).toBe(true);
  });
});
