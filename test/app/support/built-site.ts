/** Scripts bundled for a page of tests, served with the weights of this project. */
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../../support/sources.ts';
import { type Mount, type StaticServer, serveStatic } from './static-server.ts';

/**
 * @param page Its HTML.
 * @param entryPoints Scripts beside it, by name.
 * @param mounts More to serve, models for example. `/weights/` is there.
 */
export async function serveBuilt(
  page: string,
  entryPoints: Readonly<Record<string, string>>,
  mounts: Readonly<Record<string, Mount>> = {},
): Promise<StaticServer> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: { ...entryPoints },
    bundle: true,
    platform: 'browser',
    format: 'esm',
    outdir: '/',
    write: false,
  });
  const scripts = outputFiles.map(({ path, contents }) => [path.slice(1), contents]);
  return serveStatic({
    '/': { 'index.html': page, ...Object.fromEntries(scripts) },
    '/weights/': join(ROOT, 'weights'),
    ...mounts,
  });
}
