/** Serves the page to this machine only. */
import { createServer, preview } from 'vite';
import { OptionError } from '../../src/errors.ts';
import { buildConfig, developmentConfig } from './config.ts';

export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

export interface PageServerOptions {
  /** Default: the first free one from 8000 on. 0 is any free one. */
  readonly port?: number | undefined;
  /** Of a page that was built; without it the page is served as it stands in `web/`. */
  readonly folder?: string | undefined;
}

/** @throws OptionError when that port cannot be had. */
export async function servePage({ port, folder }: PageServerOptions = {}): Promise<PageServer> {
  const listen = {
    host: '127.0.0.1',
    port: port ?? 8000,
    // A port that was asked for is had, or refused.
    strictPort: port !== undefined,
  };
  const fail = (cause: unknown): never => {
    throw new OptionError(
      `port ${port} cannot be used (${reasonOf(cause)}): give another with --port or PORT, or 0 for any free one`,
      { cause },
    );
  };
  if (folder !== undefined) {
    const server = await preview({ ...buildConfig(folder), preview: listen }).catch(fail);
    return { url: urlOf(server.httpServer.address()), close: () => server.close() };
  }
  const config = developmentConfig();
  const server = await createServer({ ...config, server: { ...config.server, ...listen } });
  await server.listen().catch(async (cause: unknown) => {
    await server.close();
    fail(cause);
  });
  return { url: urlOf(server.httpServer?.address()), close: () => server.close() };
}

function urlOf(address: unknown): string {
  if (typeof address === 'object' && address !== null && 'port' in address) {
    return `http://127.0.0.1:${address.port}/`;
  }
  throw new Error('the server has no port');
}

/** The end of `listen EACCES: permission denied 127.0.0.1:80`. */
const reasonOf = (error: unknown): string => String(error).split(': ').slice(1).join(': ');
