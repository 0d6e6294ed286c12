/** Serves the page with esbuild, for development: bundled anew on every reload. */
import { context } from 'esbuild';
import { packageFolder } from '../src/node/index.ts';

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves this package's folder to this machine only; the page is under `web/`. */
export async function servePage(): Promise<PageServer> {
  const folder = packageFolder();
  const build = await context({
    absWorkingDir: folder,
    entryPoints: ['web/main.ts'],
    outdir: 'web',
    bundle: true,
    write: false,
    sourcemap: 'inline',
    platform: 'browser',
    format: 'esm',
  });
  const { port } = await build.serve({ host: '127.0.0.1', servedir: folder });
  return { url: `http://127.0.0.1:${port}/web/`, close: () => build.dispose() };
}
