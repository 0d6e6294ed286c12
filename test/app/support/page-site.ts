/** The page as `npm run web:build` makes it, on a plain static server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildPage } from '../../../scripts/page/build-page.ts';
import { type Mount, type StaticServer, serveStatic } from './static-server.ts';

/** The folder of the page: no page has to lie at the root of its server. */
const BASE = '/a/folder/';

/** @param mounts More to serve, models for example. */
export async function servePageSite(
  mounts: Readonly<Record<string, Mount>> = {},
): Promise<StaticServer & { readonly page: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-page-'));
  await buildPage(folder);
  const server = await serveStatic({ [BASE]: folder, ...mounts });
  const close = async (): Promise<void> => {
    await server.close();
    rmSync(folder, { recursive: true });
  };
  return Object.defineProperties(Object.create(server), {
    page: { value: `${server.url}${BASE}` },
    close: { value: close },
  });
}
