/** Connections to servers, straight or through a proxy, that are made in time or fail. */
import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { buildConnector } from 'undici';
import { DownloadError } from '../../errors.ts';
import { TransientError } from '../../hub/transient.ts';
import { connectionError } from './problems.ts';
import { type HubProxy, type ProxySettings, proxyFor, proxyName } from './proxy-settings.ts';
import type { HubTiming } from './settings.ts';
import { openTunnel, type Target } from './tunnel.ts';

export interface ConnectionOptions {
  readonly proxies: ProxySettings;
  readonly timing: Pick<HubTiming, 'silenceMs' | 'contactMs'>;
  /** Finds addresses of names; tests give their own. */
  readonly lookup?: LookupFunction | undefined;
}

/**
 * Makes the connections of undici's clients. Their own ones through proxies neither end in time nor
 * stop trying when a proxy closes the connection (undici 7.30).
 */
export class Connections {
  readonly #options: ConnectionOptions;
  /** Those that are being made. */
  readonly #attempts = new Set<Attempt>();
  #contacted = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** Whether any server or proxy was reached. */
  get contacted(): boolean {
    return this.#contacted;
  }

  /** Connects as undici asks for it. */
  readonly connector: buildConnector.connector = (options, callback) => {
    const { protocol, hostname, port } = options;
    const isSecure = protocol === 'https:';
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    this.open({ host, port: Number(port) || (isSecure ? 443 : 80) }, isSecure).then(
      (socket) => {
        // One that is closed already would be replaced by undici, again and again.
        if (socket.destroyed) callback(cut(), null);
        else callback(null, socket);
      },
      (error) => callback(error, null),
    );
  };

  /**
   * Connects to a server, by TLS where `isSecure`.
   * @throws DownloadError about a proxy, or what the system or TLS says; within `silenceMs`.
   */
  async open(target: Target, isSecure: boolean): Promise<Socket> {
    const { proxies, timing } = this.#options;
    const proxy = proxyFor(proxies, { isSecure, ...target });
    const attempt = new Attempt();
    this.#attempts.add(attempt);
    const isSilent = (): void => attempt.end(silence(proxy));
    const timers = [setTimeout(isSilent, timing.silenceMs)];
    if (!this.#contacted) timers.push(setTimeout(isSilent, timing.contactMs));
    const onContact = (): void => {
      this.#contacted = true;
      clearTimeout(timers[1]);
    };
    try {
      const way = proxy ? this.#viaProxy(attempt, proxy, target, onContact) : undefined;
      const socket = await (way ?? this.#reach(attempt, target, onContact));
      return isSecure ? await secured(attempt, socket, target.host) : socket;
    } catch (error) {
      attempt.end(error);
      throw attempt.reason;
    } finally {
      for (const timer of timers) clearTimeout(timer);
      this.#attempts.delete(attempt);
    }
  }

  /** Gives up what is being made. */
  close(reason: unknown): void {
    for (const attempt of this.#attempts) attempt.end(reason);
  }

  async #viaProxy(
    attempt: Attempt,
    proxy: HubProxy,
    target: Target,
    onContact: () => void,
  ): Promise<Socket> {
    try {
      const hop = await this.#reach(attempt, proxy, onContact);
      const asked = proxy.kind === 'https' ? await secured(attempt, hop, proxy.host) : hop;
      return await openTunnel(asked, proxy, target);
    } catch (cause) {
      if (cause instanceof DownloadError) throw cause;
      throw connectionError(proxyName(proxy), cause);
    }
  }

  async #reach(attempt: Attempt, { host, port }: Target, onContact: () => void): Promise<Socket> {
    const socket = connect({
      ...{ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 },
      ...(this.#options.lookup && { lookup: this.#options.lookup }),
    });
    await attempt.until(socket, 'connect');
    onContact();
    return socket;
  }
}

/** The sockets of one connection that is being made. */
class Attempt {
  readonly #sockets: Socket[] = [];
  #reason: unknown;

  /** Why it ended. */
  get reason(): unknown {
    return this.#reason;
  }

  /** Waits for an event of a socket; rejects when it breaks first, or the attempt ends. */
  async until(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
    this.#sockets.unshift(socket);
    if (this.#reason !== undefined) this.end(this.#reason);
    await new Promise<void>((resolve, reject) => {
      socket.once(event, resolve);
      // Stays: what breaks later is noticed by whoever uses the connection.
      socket.on('error', reject);
      socket.once('close', () => reject(cut()));
    });
  }

  /** Gives it up. The first reason counts. */
  end(reason: unknown): void {
    this.#reason ??= reason;
    for (const socket of this.#sockets) socket.destroy(CLOSED);
  }
}

const CLOSED = new Error('given up');
const cut = (): Error => Object.assign(new Error('closed'), { code: 'ECONNRESET' });

async function secured(attempt: Attempt, socket: Socket, host: string): Promise<TLSSocket> {
  const servername = isIP(host) === 0 ? host : '';
  const secure = connectTls({ socket, host, servername, ALPNProtocols: ['http/1.1'] });
  await attempt.until(secure, 'secureConnect');
  return secure;
}

/** The error of a connection that took too long. */
function silence(proxy: HubProxy | undefined): Error {
  if (proxy)
    return new TransientError('network', `${proxyName(proxy)} makes no connection in time`);
  return Object.assign(new Error('connection timed out'), { code: 'ETIMEDOUT' });
}
