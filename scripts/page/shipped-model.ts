/** Puts the model of classes that ships with this package beside the page. */
import { cpSync, createReadStream, mkdirSync, readFileSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, resolve } from 'node:path';
import type { Connect, Plugin } from 'vite';
import { defaultModelFolder } from '../../src/node/files.ts';

/** Its address, from the page. */
export const MODEL_PATH = 'models/fruits-96';

const FILES = ['model.json', 'gpt.safetensors', 'vq.safetensors', 'DATA-LICENSE'] as const;

/** Names of its classes. */
export function shippedClasses(): readonly string[] {
  return JSON.parse(readFileSync(join(defaultModelFolder(), 'model.json'), 'utf8')).classes;
}

export function shippedModel(): Plugin {
  let folder = '';
  return {
    name: 'shipped-model',
    configResolved({ root, build }) {
      folder = resolve(root, build.outDir, MODEL_PATH);
    },
    configureServer: ({ middlewares }) => serveModel(middlewares),
    configurePreviewServer: ({ middlewares }) => serveModel(middlewares),
    closeBundle() {
      mkdirSync(folder, { recursive: true });
      for (const file of FILES) cpSync(join(defaultModelFolder(), file), join(folder, file));
    },
  };
}

/** Vite's own server compresses weights, and sends a file whole that was asked for its first byte. */
function serveModel(middlewares: Connect.Server): void {
  middlewares.use(`/${MODEL_PATH}`, (request, response, next) => {
    const file = FILES.find((name) => request.url?.split('?')[0] === `/${name}`);
    if (file) send(join(defaultModelFolder(), file), request, response);
    else next();
  });
}

function send(path: string, { method, headers }: IncomingMessage, response: ServerResponse): void {
  const { size, mtimeMs } = statSync(path);
  const asked = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const start = Number(asked?.[1] ?? 0);
  const end = Math.min(size, asked?.[2] ? Number(asked[2]) + 1 : size);
  response.setHeader('Accept-Ranges', 'bytes');
  response.setHeader(
    'Content-Type',
    path.endsWith('.json') ? 'application/json' : 'application/octet-stream',
  );
  response.setHeader('ETag', `"${size}-${Math.round(mtimeMs)}"`);
  response.setHeader('Cache-Control', 'no-cache');
  if (start >= end) {
    response.writeHead(416, { 'Content-Range': `bytes */${size}` }).end();
    return;
  }
  response.writeHead(asked ? 206 : 200, {
    'Content-Length': end - start,
    ...(asked && { 'Content-Range': `bytes ${start}-${end - 1}/${size}` }),
  });
  if (method === 'HEAD') response.end();
  else createReadStream(path, { start, end: end - 1 }).pipe(response);
}
