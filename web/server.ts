/** Serves the page with esbuild, for development: bundled anew on every reload. */
import { context } from 'esbuild';
import { OptionError } from '../src/errors.ts';
import { packageFolder } from '../src/node/index.ts';

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves this package's folder to this machine only; the page is under `web/`.
 * @param asked Default: the first free port from 8000 on.
 * @throws OptionError when that port cannot be had.
 */
export async function servePage(asked?: number): Promise<PageServer> {
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
  const { port } = await build
    .serve({ host: '127.0.0.1', servedir: folder, ...(asked !== undefined && { port: asked }) })
    .catch(async (cause: unknown) => {
      await build.dispose();
      throw new OptionError(
        `port ${asked} cannot be used (${reasonOf(cause)}): give another with --port or PORT, or 0 for any free one`,
        { cause },
      );
    });
  return { url: `http://127.0.0.1:${port}/web/`, close: () => build.dispose() };
}

/** The end of `listen tcp4 127.0.0.1:80: bind: permission denied`. */
const reasonOf = (error: unknown): string => String(error).split(': ').at(-1) ?? '';
