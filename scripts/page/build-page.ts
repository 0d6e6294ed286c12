/** Makes the page, as a folder of files that any static server serves from any address. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import { OptionError } from '../../src/errors.ts';
import { buildConfig, SERVICE_WORKER } from './config.ts';

/**
 * @param folder Is emptied first, when it holds a page that was made before.
 * @throws OptionError when it holds anything else.
 */
export async function buildPage(folder: string): Promise<void> {
  if (existsSync(folder) && readdirSync(folder).length > 0 && !isPage(folder)) {
    throw new OptionError(
      `${folder} is neither empty nor a page that was made before: nothing was written; give another folder`,
    );
  }
  await build(buildConfig(folder));
}

const isPage = (folder: string): boolean =>
  [`${SERVICE_WORKER}.js`, 'manifest.webmanifest', 'index.html'].every((file) =>
    existsSync(join(folder, file)),
  );
