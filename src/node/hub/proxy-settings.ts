/** The proxies of the environment, as curl and others read them. */
import { OptionError } from '../../errors.ts';
import type { Environment } from '../environment.ts';
import { isWithoutProxy } from './no-proxy.ts';

/** How a proxy is spoken to. Names are looked up by the proxy, with SOCKS too. */
export type ProxyKind = 'http' | 'https' | 'socks4' | 'socks5';

export interface HubProxy {
  readonly kind: ProxyKind;
  /** IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** Which variable names it, for messages. */
  readonly variable: string;
}

export interface ProxySettings {
  /** For `http://` addresses: `HTTP_PROXY`, else `ALL_PROXY`. */
  readonly http?: HubProxy | undefined;
  /** For `https://` addresses: `HTTPS_PROXY`, else `ALL_PROXY`, else that of `http://`. */
  readonly https?: HubProxy | undefined;
  /** `NO_PROXY`. */
  readonly noProxy: string;
}

/** What is meant by the schemes, and the port when none is given. */
const SCHEMES: Readonly<Record<string, readonly [kind: ProxyKind, port: number]>> = {
  'http:': ['http', 80],
  'https:': ['https', 443],
  'socks:': ['socks5', 1080],
  'socks5:': ['socks5', 1080],
  'socks5h:': ['socks5', 1080],
  'socks4:': ['socks4', 1080],
  'socks4a:': ['socks4', 1080],
};

/**
 * Reads the variables, each in lower case first, then in upper case. One that is empty is as good as
 * not set.
 * @throws OptionError that names the variable when its value is no address.
 */
export function proxySettings(env: Environment): ProxySettings {
  const all = (): HubProxy | undefined => readProxy(env, 'ALL_PROXY');
  const http = readProxy(env, 'HTTP_PROXY') ?? all();
  const https = readProxy(env, 'HTTPS_PROXY') ?? all() ?? http;
  return { http, https, noProxy: env.no_proxy || env.NO_PROXY || '' };
}

/** The proxy for a host, if there is one. */
export function proxyFor(
  { http, https, noProxy }: ProxySettings,
  { isSecure, host, port }: { isSecure: boolean; host: string; port: number },
): HubProxy | undefined {
  return isWithoutProxy(noProxy, host, port) ? undefined : isSecure ? https : http;
}

/** A proxy in words, without its user and password. */
export const proxyName = ({ host, port, variable }: HubProxy): string =>
  `the proxy ${host.includes(':') ? `[${host}]` : host}:${port} of ${variable}`;

function readProxy(env: Environment, name: string): HubProxy | undefined {
  for (const variable of [name.toLowerCase(), name]) {
    const text = env[variable]?.trim();
    if (!text) continue;
    const proxy = parseProxy(text, variable);
    if (proxy) return proxy;
    throw new OptionError(
      `${variable} expected the address of a proxy such as http://127.0.0.1:7890 or socks5://127.0.0.1:1080, got "${withoutUser(text)}": correct or unset it`,
    );
  }
  return undefined;
}

/** Without a scheme, `http://` is meant. */
function parseProxy(text: string, variable: string): HubProxy | undefined {
  const hasScheme = /^[a-z][a-z\d+.-]*:\/\//i.test(text);
  const address = hasScheme ? text : `http://${text.replace(/^\/\//, '')}`;
  if (!URL.canParse(address)) return undefined;
  const { protocol, port, pathname } = new URL(address);
  const [kind, usualPort] = SCHEMES[protocol] ?? [];
  // Names and numbers of hosts are read as those of http:// addresses, whatever the scheme.
  const plain = address.replace(/^[^:]*/, 'http');
  if (kind === undefined || usualPort === undefined || !URL.canParse(plain)) return undefined;
  const { hostname, username, password } = new URL(plain);
  // A single word is rather a "none" or "off" than the name of a host.
  const isWord = !hasScheme && (!/[.:]|^localhost\b/.test(text) || pathname !== '/');
  if (!/^([\w.-]+|\[.*\])$/.test(hostname) || port === '0' || isWord) return undefined;
  return {
    kind,
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port) || usualPort,
    ...(username !== '' && { user: decoded(username), password: decoded(password) }),
    variable,
  };
}

/** A percent sign with nothing to decode behind it stands for itself. */
function decoded(text: string): string {
  return text.replace(/(?:%[\da-f]{2})+/gi, (codes) =>
    Buffer.from(codes.replaceAll('%', ''), 'hex').toString(),
  );
}

/** An address without what stands before its last `@`: messages must not show a password. */
function withoutUser(text: string): string {
  return text.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, '$1***@');
}
