/** The page at `/`: files that are served as they are in the package. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { packageFolder } from '../node/files.ts';

/** By address, with their content types. */
const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
} as const;

export function addPage(app: FastifyInstance): void {
  const folder = join(packageFolder(), 'src', 'serve', 'page');
  for (const [url, [file, type]] of Object.entries(FILES)) {
    const bytes = readFileSync(join(folder, file));
    app.get(url, { schema: { hide: true } }, (_, reply) =>
      reply.type(type).header('cache-control', 'no-cache').send(bytes),
    );
  }
}
