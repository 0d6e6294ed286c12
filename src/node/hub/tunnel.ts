/** Asks a proxy for a connection to another host. */
import { request } from 'node:http';
import { isIPv6, type Socket } from 'node:net';
import { DownloadError } from '../../errors.ts';
import { TransientError } from '../../hub/transient.ts';
import { connectionError } from './problems.ts';
import { type HubProxy, proxyName } from './proxy-settings.ts';

/** Where a connection goes. */
export interface Target {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/**
 * @param socket A connection to the proxy.
 * @returns A connection to the target.
 * @throws DownloadError that names the proxy; a TransientError where another try may go better.
 */
export async function openTunnel(socket: Socket, proxy: HubProxy, target: Target): Promise<Socket> {
  if (proxy.kind === 'socks4' || proxy.kind === 'socks5') return viaSocks(socket, proxy, target);
  return viaConnect(socket, proxy, target);
}

/** The HTTP method CONNECT (RFC 9110, section 9.3.6). */
function viaConnect(socket: Socket, proxy: HubProxy, { host, port }: Target): Promise<Socket> {
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const { user, password = '' } = proxy;
  const login = Buffer.from(`${user}:${password}`).toString('base64');
  return new Promise((resolve, reject) => {
    const asking = request({
      method: 'CONNECT',
      path: authority,
      createConnection: () => socket,
      headers: {
        host: authority,
        connection: 'keep-alive',
        'proxy-connection': 'keep-alive',
        'user-agent': 'llamagen-webgpu',
        ...(user !== undefined && { 'proxy-authorization': `Basic ${login}` }),
      },
    });
    asking.once('connect', ({ statusCode = 0 }, _, head: Buffer) => {
      if (statusCode < 200 || statusCode > 299) {
        reject(refusal(proxy, statusCode));
        return;
      }
      if (head.byteLength > 0) socket.unshift(head);
      resolve(socket);
    });
    asking.on('error', (cause) => reject(connectionError(proxyName(proxy), cause)));
    asking.end();
  });
}

/** What another answer than a connection means. */
function refusal(proxy: HubProxy, status: number): DownloadError {
  const name = proxyName(proxy);
  if (status === 407) {
    const message =
      proxy.user === undefined
        ? `wants a user and a password (407): set ${proxy.variable} to http://USER:PASSWORD@HOST:PORT`
        : `does not accept its user and password (407): correct them in ${proxy.variable}`;
    return new DownloadError('denied', `${name} ${message}`);
  }
  if (status >= 500 || status === 408 || status === 429) {
    return new TransientError('network', `${name} cannot reach the server (${status})`);
  }
  return new DownloadError(
    'denied',
    `${name} refuses to connect to the server (${status}): use another proxy, or name the server in NO_PROXY`,
  );
}

async function viaSocks(socket: Socket, proxy: HubProxy, destination: Target): Promise<Socket> {
  const { SocksClient } = await import('socks');
  const { kind, host, port, user, password } = proxy;
  const login = user === undefined ? {} : { userId: user, password: password ?? '' };
  try {
    const made = await SocksClient.createConnection({
      command: 'connect',
      destination,
      existing_socket: socket,
      proxy: { host, port, type: kind === 'socks4' ? 4 : 5, ...login },
    });
    return made.socket;
  } catch (error) {
    // Not kept as the cause: it holds the password.
    const why = error instanceof Error ? error.message : String(error);
    const isLogin = /authentication/i.test(why);
    const message = `${proxyName(proxy)} makes no connection: ${why}`;
    if (isLogin) throw new DownloadError('denied', message);
    throw new TransientError('network', message);
  }
}
