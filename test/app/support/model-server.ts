/** A server of one model, on an origin of its own. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listen, sendRanges } from '../../support/hub.ts';

export type Send = (req: IncomingMessage, res: ServerResponse, bytes: Buffer, etag: string) => void;

/** A server of one model, in one way or another. */
export interface ModelServer {
  readonly url: string;
  readonly log: string[];
  files: Record<string, Uint8Array>;
  send: Send;
  close(): Promise<void>;
}

export async function serveModel(files: Record<string, Uint8Array>): Promise<ModelServer> {
  const log: string[] = [];
  const { origin, close } = await listen((req, res) => {
    res.setHeader('access-control-allow-origin', '*');
    const name = decodeURIComponent(req.url ?? '').replace(/^\/m\//, '');
    log.push([req.method, name, req.headers.range].filter(Boolean).join(' '));
    const bytes = server.files[name];
    const etag = `"${createHash('md5')
      .update(bytes ?? '')
      .digest('hex')}"`;
    if (bytes) server.send(req, res, Buffer.from(bytes), etag);
    else res.writeHead(404).end();
  });
  const server: ModelServer = { url: `${origin}/m`, log, files, send: sendOpenly, close };
  return server;
}

/** As servers do that let pages of other origins see what they say. */
export const sendOpenly: Send = (req, res, bytes, etag) => {
  res.setHeader('access-control-expose-headers', 'etag, content-range');
  sendRanges(req, res, bytes, etag);
};
