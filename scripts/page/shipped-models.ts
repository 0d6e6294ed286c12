/** Puts the models that ship with this package beside the page. */
import { cpSync, createReadStream, mkdirSync, readFileSync, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join, resolve } from 'node:path';
import type { Connect, Plugin } from 'vite';
import { defaultModelFolder, textModelFolder } from '../../src/node/files.ts';

interface ShippedModel {
  /** Its address, from the page. */
  readonly path: string;
  readonly folder: string;
  readonly files: readonly string[];
}

const FILES = ['model.json', 'gpt.safetensors', 'vq.safetensors', 'DATA-LICENSE'] as const;

/** The model of classes, which the page opens with. */
export const CLASS_MODEL: ShippedModel = {
  path: 'models/fruits-96',
  folder: defaultModelFolder(),
  files: FILES,
};

/** The model of prompts. */
export const TEXT_MODEL: ShippedModel = {
  path: 'models/scenes-96',
  folder: textModelFolder(),
  files: [...FILES, 'tokenizer.json', 't5.json', 't5.safetensors'],
};

const MODELS = [CLASS_MODEL, TEXT_MODEL] as const;

/** Names of the classes. */
export function shippedClasses(): readonly string[] {
  return JSON.parse(readFileSync(join(CLASS_MODEL.folder, 'model.json'), 'utf8')).classes;
}

export function shippedModels(): Plugin {
  let site = '';
  return {
    name: 'shipped-models',
    configResolved({ root, build }) {
      site = resolve(root, build.outDir);
    },
    configureServer: ({ middlewares }) => serveModels(middlewares),
    configurePreviewServer: ({ middlewares }) => serveModels(middlewares),
    closeBundle() {
      for (const { path, folder, files } of MODELS) {
        mkdirSync(join(site, path), { recursive: true });
        for (const file of files) cpSync(join(folder, file), join(site, path, file));
      }
    },
  };
}

/** Vite's own server compresses weights, and sends a file whole that was asked for its first byte. */
function serveModels(middlewares: Connect.Server): void {
  for (const { path, folder, files } of MODELS) {
    middlewares.use(`/${path}`, (request, response, next) => {
      const file = files.find((name) => request.url?.split('?')[0] === `/${name}`);
      if (file) send(join(folder, file), request, response);
      else next();
    });
  }
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
