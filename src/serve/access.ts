/** Who may ask, from where. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ApiError } from './api-error.ts';
import type { ServerPeers } from './peers.ts';
import type { ServerOptions } from './server-options.ts';

/** What pages of this server may load: its own files and pictures, nothing in line, nothing of others. */
const PAGE_POLICY = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** Headers that browsers heed, and which pages of other origins may ask. */
export async function addHeaders(
  app: FastifyInstance,
  { helmet, cors }: Pick<ServerPeers, 'helmet' | 'cors'>,
  { origins = [] }: Pick<ServerOptions, 'origins'>,
): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: PAGE_POLICY },
    // Whoever puts TLS in front of it says so there.
    strictTransportSecurity: false,
  });
  if (origins.length === 0) return;
  await app.register(cors, {
    origin: origins.includes('*') ? '*' : [...origins],
    methods: ['GET', 'POST'],
    exposedHeaders: ['retry-after', 'x-request-id', 'idempotent-replayed'],
  });
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i;

/**
 * A server without keys for this machine alone: a page elsewhere whose name was made to mean 127.0.0.1
 * (DNS rebinding) asks by that name, and is refused.
 */
export function guardLoopback(app: FastifyInstance, publicUrl: string | undefined): void {
  const own = publicUrl === undefined ? undefined : new URL(publicUrl).hostname;
  app.addHook('onRequest', async ({ headers, socket }) => {
    // Not what a proxy says that it was asked for: a page may say that too.
    const hostname = hostOf(headers.host);
    const isLocal = LOOPBACK.test(hostname) || hostname === own;
    if (isLocal || !isLoopbackAddress(socket.localAddress)) return;
    throw new ApiError(
      403,
      'this server answers to the names of this machine alone; --public-url gives it another, API keys open it',
      { code: 'host_not_allowed' },
    );
  });
}

/** Without the port. */
const hostOf = (host = ''): string =>
  URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : '';

const isLoopbackAddress = (address = ''): boolean => /^(::ffff:)?127\.|^::1$/.test(address);

const holders = new WeakMap<FastifyRequest, string>();

/** A name for whose key came with a request, which says nothing of the key. */
export const holderOf = (request: FastifyRequest): string | undefined => holders.get(request);

/** Whose request it is: the holder's of its key, or, where nobody needs one, its address's. */
export const clientOf = (request: FastifyRequest): string => holderOf(request) ?? request.ip;

/** Asks for a key, where there are any. */
export function checkKeys(app: FastifyInstance, { apiKeys }: Pick<ServerOptions, 'apiKeys'>): void {
  if (!apiKeys) return;
  app.addHook('onRequest', async (request, reply) => {
    const { authorization = '' } = request.headers;
    const [, key] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
    const client = key === undefined ? undefined : apiKeys.clientOf(key);
    if (client !== undefined) {
      holders.set(request, client);
      return;
    }
    reply.header('www-authenticate', 'Bearer');
    const message =
      key === undefined
        ? 'this server needs an API key: send the header "Authorization: Bearer KEY"'
        : 'this API key is none of this server';
    throw new ApiError(401, message, { code: 'invalid_api_key' });
  });
}
