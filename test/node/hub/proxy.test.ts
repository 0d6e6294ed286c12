/** Downloads through proxies: good ones and bad ones. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import {
  type ConnectAnswer,
  type Listening,
  startProxy,
  startSilent,
  startSocks,
  type TestProxy,
} from '../../support/proxy.ts';
import { ROOT } from '../../support/sources.ts';
import { CERTIFICATE, tlsBefore } from '../../support/tls.ts';
import { cache, download, failure, HASH, hub, notes, QUICK, REPO, useHub } from './fixture.ts';

useHub();

const open: Listening[] = [];
async function kept<T extends Listening>(starting: Promise<T>): Promise<T> {
  const server = await starting;
  open.push(server);
  return server;
}
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** The two hosts of every download. */
const hosts = (): string[] => [new URL(hub.endpoint).host, new URL(hub.cdn).host];

describe('a proxy', () => {
  test.each([
    ['HTTP_PROXY', (host: string) => `http://${host}`],
    ['http_proxy', (host: string) => host],
    ['HTTP_PROXY', (host: string) => ` ${host}/ `],
    ['HTTP_PROXY', (host: string) => `localhost:${host.split(':')[1]}`],
    ['HTTP_PROXY', (host: string) => `//${host}`],
    ['ALL_PROXY', (host: string) => host],
    ['all_proxy', (host: string) => `HTTP://${host}/`],
  ])('in %s carries hub and CDN', async (name, value) => {
    const proxy = await kept(startProxy());
    expect(await download({ env: { [name]: value(proxy.host) } })).toMatchObject({ sha256: HASH });
    expect(proxy.asked).toEqual(hosts());
  });

  test('is told the user and password of its address', async () => {
    const proxy = await kept(startProxy());
    for (const [login, told] of [
      ['ann:p%40s:s', 'ann:p@s:s'],
      ['ann:p@s%', 'ann:p@s%'],
      ['ann', 'ann:'],
    ]) {
      proxy.asked.length = 0;
      const env = {
        HTTP_PROXY: `http://${login}@${proxy.host}`,
        LLAMAGEN_CACHE: join(cache, `${told}`),
      };
      await download({ env });
      expect(proxy.asked).toEqual(hosts().map((host) => `${told}@${host}`));
    }
  });

  test.each(['socks5', 'socks5h', 'socks', 'socks4', 'socks4a'])('may speak %s', async (scheme) => {
    const proxy = await kept(startSocks());
    await download({ env: { ALL_PROXY: `${scheme}://${proxy.host}` } });
    expect(proxy.asked).toEqual(hosts());
  });

  test('that speaks SOCKS looks up names, and may want a login', async () => {
    const proxy = await kept(startSocks('ann:secret'));
    const endpoint = hub.endpoint.replace('127.0.0.1', 'localhost');
    const env = { HF_ENDPOINT: endpoint, ALL_PROXY: `socks5://ann:secret@${proxy.host}` };
    await download({ env });
    expect(proxy.asked[0]).toBe(`ann:secret@localhost:${new URL(hub.endpoint).port}`);
    const wrong = { ...env, ALL_PROXY: `socks5://ann:wrong@${proxy.host}` };
    const { problem, message } = await failure({ env: { ...wrong, LLAMAGEN_CACHE: `${cache}/b` } });
    expect([problem, message]).toEqual(['denied', expect.stringMatching(/Authentication failed/)]);
    expect(message).not.toMatch(/ann|wrong/);
  });

  test('is not used for the hosts of NO_PROXY', async () => {
    const proxy = await kept(startProxy());
    await download({ env: { HTTP_PROXY: proxy.host, NO_PROXY: 'a.example,127.0.0.0/8' } });
    expect(proxy.asked).toEqual([]);
  });

  test('that is not there is an error that says so', async () => {
    const { problem, message } = await failure({
      env: { HTTP_PROXY: 'http://u:secret@127.0.0.1:1' },
    });
    expect([problem, message]).toEqual([
      'network',
      expect.stringMatching(/^the proxy 127.0.0.1:1 of HTTP_PROXY: .*refuses connections/),
    ]);
    expect(message + notes).not.toContain('secret');
    expect(hub.seen).toEqual([]);
  });

  test('by TLS, to a hub by TLS', { timeout: 30_000 }, async () => {
    hub.small.set(`${REPO}/a.json`, Buffer.from('{}'));
    const plain = await kept(startProxy());
    const proxy = await kept(tlsBefore(plain.port));
    const front = await kept(tlsBefore(Number(new URL(hub.endpoint).port)));
    const certificate = join(cache, 'ca.pem');
    writeFileSync(certificate, CERTIFICATE);
    const env = {
      HF_ENDPOINT: `https://localhost:${front.port}`,
      HTTPS_PROXY: `https://localhost:${proxy.port}`,
    };
    const script = join(ROOT, 'test/support/download-child.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', script, REPO, 'a.json'], {
      cwd: ROOT,
      env: {
        ...{ PATH: process.env.PATH, HOME: cache, LLAMAGEN_CACHE: cache },
        ...{ ...env, NODE_EXTRA_CA_CERTS: certificate },
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => (output += text));
    const untrusted = await failure({ file: 'a.json', env });
    expect(untrusted.message).toMatch(
      /the proxy localhost:\d+ of HTTPS_PROXY: the certificate is not/,
    );
    const direct = await failure({ file: 'a.json', env: { ...env, NO_PROXY: 'localhost' } });
    expect(direct.message).toMatch(/^localhost:\d+: the certificate .* set NODE_EXTRA_CA_CERTS/);
    expect(notes).toEqual([]);
    await new Promise((resolve) => child.on('close', resolve));
    expect(output).toContain('"bytes":2');
    expect([...new Set(plain.asked)]).toEqual([`localhost:${front.port}`]);
  });
});

describe('a bad proxy', () => {
  const SILENCE = 250;
  const OK = 'HTTP/1.1 200 Connection established\r\n\r\n';
  const timing = { ...QUICK, retries: 1 };
  const bad: readonly [string, ConnectAnswer, RegExp][] = [
    ['closes', (socket) => socket.destroy(), /of HTTPS?_PROXY: the connection was cut/],
    ['ends', (socket) => socket.end(), /of HTTPS?_PROXY: the connection was cut/],
    ['resets', (socket) => socket.resetAndDestroy(), /of HTTPS?_PROXY: the connection was cut/],
    ['never answers', () => {}, /of HTTPS?_PROXY makes no connection in time/],
    ['begins to answer', (socket) => socket.write('HTTP/1.1 200'), /makes no connection in time/],
    ['trickles', trickle, /makes no connection in time/],
    ['answers something else', (socket) => socket.end('hello\r\n\r\n'), /answer is not HTTP/],
    ['answers 502', (socket) => socket.end(page(502)), /cannot reach the server \(502\)/],
  ];

  function trickle(socket: import('node:net').Socket): void {
    socket.write('HTTP/1.1 200 OK\r\n');
    const more = setInterval(() => socket.write('x: y\r\n'), 20);
    socket.on('close', () => clearInterval(more));
  }

  function page(status: number): string {
    return `HTTP/1.1 ${status} No\r\ncontent-type: text/html\r\n\r\n<html>${'no '.repeat(1000)}`;
  }

  /** Fails, within the limit for each try, and after as many tries as are allowed. */
  async function fails(proxy: TestProxy, env: Record<string, string>, message: RegExp) {
    const start = performance.now();
    const isSilent = /in time|not answer/.test(message.source);
    const impatient = { ...timing, silenceMs: SILENCE };
    const error = await failure({ env, timing: isSilent ? impatient : timing });
    expect([error.problem, error.message]).toEqual(['network', expect.stringMatching(message)]);
    expect(error.message).toMatch(/gave up after 2 tries/);
    expect(proxy.connections()).toBe(2);
    expect(notes).toHaveLength(1);
    // Undici counts the silence before an answer in whole seconds.
    expect(performance.now() - start).toBeLessThan(2 * (SILENCE + 1000) + 4000);
  }

  test.each(bad)('that %s fails in time', async (_, answer, message) => {
    const proxy = await kept(startProxy(answer));
    await fails(proxy, { HTTP_PROXY: proxy.host }, message);
  });

  test.each([
    ['closes', (socket) => socket.end(OK), /the connection was cut/],
    [
      'closes after the first bytes',
      (socket) => {
        socket.write(OK);
        socket.once('data', () => socket.destroy());
      },
      /the connection was cut/,
    ],
    ['is silent', (socket) => socket.write(OK), /does not answer|no connection in time/],
    ['sends no TLS', (socket) => socket.write(`${OK}HTTP/1.1 400 Bad\r\n\r\n`), /not TLS/],
  ] as readonly [string, ConnectAnswer, RegExp][])(
    'that %s once the tunnel is there fails in time, with TLS and without',
    async (name, answer, message) => {
      const tls = await kept(startProxy(answer));
      const secure = { HF_ENDPOINT: 'https://hub.invalid', HTTPS_PROXY: tls.host };
      await fails(tls, secure, message);
      if (name === 'sends no TLS') return;
      notes.length = 0;
      const plain = await kept(startProxy(answer));
      const problem = name === 'is silent' ? /server does not answer/ : message;
      await fails(plain, { HTTP_PROXY: plain.host }, problem);
    },
  );

  test.each([
    [407, 'u:secret@', 'denied', /does not accept its user and password \(407\): .* HTTP_PROXY$/],
    [407, '', 'denied', /wants a user and a password \(407\): set HTTP_PROXY to http:\/\/USER/],
    [403, 'u:secret@', 'denied', /refuses to connect to the server \(403\).*NO_PROXY/],
  ])('that answers %i is asked once', async (status, login, problem, message) => {
    const proxy = await kept(startProxy((socket) => socket.end(page(status))));
    const error = await failure({ env: { HTTP_PROXY: `http://${login}${proxy.host}` } });
    expect([error.problem, error.message]).toEqual([problem, expect.stringMatching(message)]);
    expect(error.message).not.toContain('secret');
    expect(proxy.connections()).toBe(1);
  });

  test('that refuses the login of SOCKS or does not speak it says so', async () => {
    const proxy = await kept(startProxy());
    const env = { HTTP_PROXY: `socks5://u:secret@${proxy.host}` };
    const { message } = await failure({ env, timing: { ...timing, retries: 0 } });
    expect(message).toMatch(
      /^the proxy 127.0.0.1:\d+ of HTTP_PROXY makes no connection: .*gave up after 1 try/,
    );
    expect(message).not.toContain('secret');
  });

  test.each([
    ['HTTP_PROXY', 'http://', 'http://hub.invalid'],
    ['HTTPS_PROXY', 'http://', 'https://hub.invalid'],
    ['ALL_PROXY', 'socks5://', 'https://hub.invalid'],
    ['ALL_PROXY', 'https://', 'https://hub.invalid'],
  ])(
    'in %s as %s that never answers ends at once when the user stops',
    async (name, scheme, endpoint) => {
      const stop = new AbortController();
      const proxy = await kept(startSilent());
      const env = { HF_ENDPOINT: endpoint, [name]: `${scheme}${proxy.host}` };
      const stopped = download({ env, signal: stop.signal });
      while (proxy.connections() === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      const start = performance.now();
      stop.abort(new Error('stop now'));
      await expect(stopped).rejects.toThrow('stop now');
      expect(performance.now() - start).toBeLessThan(5000);
      expect(proxy.connections()).toBe(1);
    },
  );
});
