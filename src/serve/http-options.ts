/** How Node and fastify are told of the limits of a server, and of its log. */
import type { Socket } from 'node:net';
import type { FastifyHttpOptions, FastifyReply } from 'fastify';
import { ApiError, type ApiErrorBody } from './api-error.ts';
import { loggerOf } from './log.ts';
import type { Limits, ServerOptions } from './server-options.ts';

/** Of the head of a request. */
const MAX_HEADER_BYTES = 16 * 2 ** 10;
/** How often Node looks for requests that take too long to arrive. */
const LOOK_MS = 1000;
const KEEP_ALIVE_MS = 10_000;
/** Node's names of what a client did wrong before there was a request. */
const CLIENT_ERRORS: Readonly<Record<string, readonly [status: number, message: string]>> = {
  HPE_HEADER_OVERFLOW: [431, `the head of a request has at most ${MAX_HEADER_BYTES} bytes`],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'the request took too long to arrive'],
};

export const httpOptions = (
  limits: Limits,
  options: Pick<ServerOptions, 'log' | 'proxies'>,
): FastifyHttpOptions<import('node:http').Server> => ({
  bodyLimit: limits.bodyBytes,
  trustProxy: options.proxies ? [...options.proxies] : false,
  requestTimeout: 2 * limits.receiveMs,
  keepAliveTimeout: KEEP_ALIVE_MS,
  http: {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: limits.receiveMs,
    connectionsCheckingInterval: LOOK_MS,
  },
  // Said in the form of this API.
  return503OnClosing: false,
  ...loggerOf(options),
  ajv: { customOptions: { coerceTypes: false, removeAdditional: false, allowUnionTypes: true } },
  frameworkErrors: (error, _, reply: Pick<FastifyReply, 'code'>) => {
    const { statusCode = 400, message } = error;
    void reply
      .code(statusCode)
      .send(new ApiError(statusCode, message, { code: 'bad_request' }).body);
  },
  clientErrorHandler,
});

/** Answers what is no request. */
function clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = CLIENT_ERRORS[error.code ?? ''] ?? [400, 'this is no HTTP request'];
  const { body } = new ApiError(status, message, { code: 'bad_request' });
  // Its other half too: a client that keeps its own open would keep a place among all connections.
  socket.write(rawAnswer(status, body));
  socket.destroySoon();
}

function rawAnswer(status: number, body: ApiErrorBody): string {
  const text = JSON.stringify(body);
  return [
    `HTTP/1.1 ${status} Error`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
    '',
    text,
  ].join('\r\n');
}
