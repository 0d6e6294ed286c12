/** The variables for proxies, and which hosts are reached without one. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../../src/errors.ts';
import { isWithoutProxy } from '../../../src/node/hub/no-proxy.ts';
import { hubSettings } from '../../../src/node/hub/settings.ts';

describe('a variable for a proxy', () => {
  const proxies = (env: Record<string, string>) =>
    hubSettings({ HOME: '/nowhere', ...env }).proxies;

  test('counts in lower case first, as with others, and not when it is empty', () => {
    const env = { HTTPS_PROXY: 'http://a', https_proxy: 'http://b', NO_PROXY: 'x' };
    expect(proxies(env)).toMatchObject({
      https: { host: 'b', port: 80, variable: 'https_proxy' },
      noProxy: 'x',
    });
    expect(proxies({ ...env, https_proxy: ' ' }).https).toMatchObject({ host: 'a' });
    expect(proxies({ http_proxy: '', ALL_PROXY: '' })).toEqual({ noProxy: '' });
  });

  test('of all counts where there is none for the scheme', () => {
    const { http, https } = proxies({ HTTP_PROXY: 'http://a', ALL_PROXY: 'socks://b' });
    expect(http).toMatchObject({ host: 'a', kind: 'http' });
    expect(https).toMatchObject({ host: 'b', port: 1080, kind: 'socks5', variable: 'ALL_PROXY' });
    expect(proxies({ HTTP_PROXY: 'http://a' }).https).toMatchObject({ host: 'a' });
    expect(proxies({ HTTPS_PROXY: 'http://a' }).http).toBeUndefined();
  });

  test.each([
    ['proxy.example', { kind: 'http', host: 'proxy.example', port: 80 }],
    ['proxy:80', { kind: 'http', host: 'proxy', port: 80 }],
    ['[::1]:3128', { kind: 'http', host: '::1', port: 3128 }],
    ['http://proxy', { host: 'proxy', port: 80 }],
    ['https://Proxy:80/', { kind: 'https', host: 'proxy', port: 80 }],
    ['https://proxy', { kind: 'https', port: 443 }],
    ['socks5h://[::1]:80', { kind: 'socks5', host: '::1', port: 80 }],
    ['SOCKS4A://u@proxy', { kind: 'socks4', port: 1080, user: 'u', password: '' }],
  ])('may be %s', (value, expected) => {
    expect(proxies({ HTTPS_PROXY: value }).https).toMatchObject(expected);
  });

  test.each([
    ...['none', 'off', '0', '1', 'true', 'DIRECT', 'proxy', 'http://', '://a', ':7890', 'a:b'],
    ...[
      '127.0.0.1:99999',
      '127.0.0.1:0',
      'http:127.0.0.1:7890',
      'ftp://a',
      'vmess://a',
      'a.b/c.pac',
    ],
    ...['http://a b', '"http://a"', '127.0.0.1,7890', 'http://u:secret@', 'u:secret@a:b'],
    ...['http://u:sec#ret@a:1', 'http://u:sec/ret@a:1', 'quic://u:secret@a'],
  ])('that says "%s" is an error that names it and shows no password', (value) => {
    for (const name of ['HTTP_PROXY', 'https_proxy', 'ALL_PROXY']) {
      const read = () => proxies({ [name]: value });
      expect(read).toThrow(OptionError);
      expect(read).toThrow(new RegExp(`^${name} expected the address of a proxy such as`));
      expect(read).not.toThrow(/sec/);
    }
  });

  test('is not read offline, where nobody is asked', () => {
    expect(proxies({ HF_HUB_OFFLINE: '1', HTTP_PROXY: 'none' })).toEqual({ noProxy: '' });
  });
});

test.each([
  [
    'example.com',
    ['example.com', 'EXAMPLE.com.', 'a.b.example.com'],
    ['notexample.com', 'example.com.org'],
  ],
  ['.example.com', ['example.com', 'a.example.com'], ['notexample.com']],
  ['*.example.com', ['a.example.com'], ['notexample.com']],
  ['a, b.c\tlocalhost', ['a', 'x.b.c', 'localhost'], ['127.0.0.1', 'c']],
  ['*', ['a', '127.0.0.1', '::1'], []],
  ['a,*', ['b'], []],
  ['', [], ['a', '127.0.0.1']],
  [',, .', [], ['a']],
  ['127.0.0.1', ['127.0.0.1'], ['1127.0.0.1', '127.0.0.11']],
  ['0.0.1', [], ['127.0.0.1']],
  ['10.0.0.0/8,192.168.1.1/32', ['10.9.8.7', '192.168.1.1'], ['11.0.0.1', '192.168.1.2', '10.a']],
  ['10.0.0.0/,10.0.0.0/33,10.0.0.0/x', [], ['10.0.0.0']],
  ['::1,fd00::/8', ['::1', 'fdab::7'], ['::2', 'fe00::1']],
  ['[::1]', ['::1'], ['::2']],
  ['example.com:8080', [], ['example.com']],
  ['example.com:443,[::1]:443', ['a.example.com', '::1'], []],
])('NO_PROXY=%s is read as curl does', (noProxy, without, through) => {
  const isWithout = (host: string): boolean => isWithoutProxy(noProxy, host, 443);
  expect(without.filter((host) => !isWithout(host))).toEqual([]);
  expect(through.filter(isWithout)).toEqual([]);
});
