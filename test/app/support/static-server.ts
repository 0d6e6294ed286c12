/** A plain static server, as a person may put an app on: no special headers, byte ranges, ETags. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A folder of this machine, or contents by the rest of the path. */
export type Mount = string | Readonly<Record<string, string | Uint8Array>>;

export interface StaticServer {
  /** Without a slash at the end. */
  readonly url: string;
  /** Method, path and range of each request. */
  readonly log: string[];
  /** Bytes of bodies that were sent. */
  readonly sentBytes: number;
  /** Bytes a second of each answer, to watch transfers; undefined for all at once. */
  bytesPerSecond: number | undefined;
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
};

const CHUNK = 2 ** 16;

/** @param mounts By the beginning of paths, e.g. `/` and `/weights/`; the longest that fits has the file. */
export async function serveStatic(mounts: Readonly<Record<string, Mount>>): Promise<StaticServer> {
  const log: string[] = [];
  const state = { bytesPerSecond: undefined as number | undefined, sentBytes: 0 };
  const server = createServer(async (request, response) => {
    const { method = 'GET', headers, url = '/' } = request;
    const path = decodeURIComponent(new URL(url, 'http://localhost').pathname);
    log.push([method, path, headers.range].filter(Boolean).join(' '));
    const bytes = contentOf(mounts, path);
    if (!bytes) {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not found');
      return;
    }
    const body = writeHead(response, path, bytes, headers.range);
    if (method !== 'HEAD') await send(response, body, state);
    response.end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return Object.defineProperties({} as StaticServer, {
    url: { value: `http://127.0.0.1:${port}` },
    log: { value: log },
    sentBytes: { get: () => state.sentBytes },
    bytesPerSecond: {
      get: () => state.bytesPerSecond,
      set: (rate: number | undefined) => {
        state.bytesPerSecond = rate;
      },
    },
    close: {
      value: () =>
        new Promise<void>((done) => {
          server.close(() => done());
          server.closeAllConnections();
        }),
    },
  });
}

function contentOf(mounts: Readonly<Record<string, Mount>>, path: string): Uint8Array | undefined {
  const fitting = Object.keys(mounts).filter((prefix) => path.startsWith(prefix));
  for (const prefix of fitting.sort((a, b) => b.length - a.length)) {
    const mount = mounts[prefix];
    const rest = path.slice(prefix.length) || 'index.html';
    if (typeof mount !== 'string') {
      const content = mount?.[rest];
      if (content === undefined) continue;
      return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    }
    const file = join(mount, normalize(rest.endsWith('/') ? `${rest}index.html` : rest));
    if (existsSync(file) && statSync(file).isFile()) return readFileSync(file);
  }
  return undefined;
}

/** @returns The bytes that were asked for. */
function writeHead(
  response: ServerResponse,
  path: string,
  bytes: Uint8Array,
  range: string | undefined,
): Uint8Array {
  const name = path.endsWith('/') ? '.html' : extname(path);
  const headers = {
    'Content-Type': TYPES[name] ?? 'application/octet-stream',
    ETag: `"${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`,
    'Accept-Ranges': 'bytes',
  };
  const asked = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  const first = Number(asked?.[1] ?? 0);
  const end = asked?.[2] ? Math.min(Number(asked[2]) + 1, bytes.length) : bytes.length;
  const total = bytes.length;
  if (asked && first >= end) {
    response.writeHead(416, { ...headers, 'Content-Range': `bytes */${total}` });
    return new Uint8Array(0);
  }
  const part = asked && { 'Content-Range': `bytes ${first}-${end - 1}/${total}` };
  response.writeHead(asked ? 206 : 200, { ...headers, ...part, 'Content-Length': end - first });
  return bytes.subarray(first, end);
}

async function send(
  response: ServerResponse,
  body: Uint8Array,
  state: { readonly bytesPerSecond: number | undefined; sentBytes: number },
): Promise<void> {
  for (let at = 0; at < body.length && !response.destroyed; ) {
    const { bytesPerSecond } = state;
    const size = bytesPerSecond === undefined ? body.length : CHUNK;
    const chunk = body.subarray(at, at + size);
    response.write(chunk);
    state.sentBytes += chunk.length;
    at += chunk.length;
    if (bytesPerSecond !== undefined) await sleep((1000 * chunk.length) / bytesPerSecond);
  }
}
