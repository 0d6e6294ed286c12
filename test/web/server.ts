/** A file server as a model's user may meet it: with ranges, or with one fault. */
import { readFileSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

export interface FileServer {
  /** Without a slash at the end. */
  readonly url: string;
  /** Method, path and range of each request. */
  readonly log: readonly string[];
  close(): Promise<void>;
}

/**
 * - no-ranges: answers every request with the whole file.
 * - no-sizes: ranges without a total, as pages of other origins often see it.
 * - cut: ends each answer one byte early.
 * - busy: 503.
 */
export type Fault = 'no-ranges' | 'no-sizes' | 'cut' | 'busy';

/** Serves texts and bytes by path, and files below a folder, on 127.0.0.1. */
export async function serveFiles(
  folder: string,
  texts: Readonly<Record<string, string | Uint8Array>> = {},
  fault?: Fault,
): Promise<FileServer> {
  const log: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    log.push([request.method, pathname, request.headers.range].filter(Boolean).join(' '));
    try {
      const text = texts[pathname];
      if (fault === 'busy') response.writeHead(503).end();
      else if (typeof text === 'string') sendText(response, pathname, text);
      else sendFile(request, response, text ?? join(folder, normalize(pathname)), fault);
    } catch {
      response.writeHead(404).end('not found');
    }
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    log,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

function sendText(response: ServerResponse, path: string, text: string): void {
  const type = path.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8';
  response.writeHead(200, { 'Content-Type': type }).end(text);
}

function sendFile(
  { method, headers }: IncomingMessage,
  response: ServerResponse,
  file: string | Uint8Array,
  fault: Fault | undefined,
): void {
  const isPath = typeof file === 'string';
  const bytes = isPath ? readFileSync(file) : file;
  const changed = isPath ? statSync(file).mtime : new Date(0);
  const version = { 'Last-Modified': changed.toUTCString() };
  const asked = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '');
  if (method === 'HEAD' || !asked || fault === 'no-ranges') {
    response.writeHead(200, { ...version, 'Content-Length': bytes.length });
    response.end(method === 'HEAD' ? undefined : bytes);
    return;
  }
  const [first, last] = [Number(asked[1]), Math.min(Number(asked[2]), bytes.length - 1)];
  const total = fault === 'no-sizes' ? '*' : bytes.length;
  if (first > last) {
    response.writeHead(416, { ...version, 'Content-Range': `bytes */${total}` }).end();
    return;
  }
  const piece = bytes.subarray(first, fault === 'cut' ? last : last + 1);
  response.writeHead(206, { ...version, 'Content-Range': `bytes ${first}-${last}/${total}` });
  response.end(piece);
}
