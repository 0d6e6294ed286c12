/** `npm run web`: serves the page until Ctrl-C. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { integer } from '../../src/cli/arguments.ts';
import { packageFolder } from '../../src/node/files.ts';
import { runScript } from '../script.ts';
import { buildPage } from './build-page.ts';
import { servePage } from './server.ts';

const web = new Command('web')
  .description('Serves a page that makes images in a browser with WebGPU, on this machine only.')
  .addOption(
    new Option('--port <n>', 'port; 0 is any free one (default: the first free one from 8000 on)')
      .env('PORT')
      .argParser(integer(0, 65535)),
  )
  .option('--dev', 'serve it as it stands in web/, new at every change, and not as it is built');
await runScript(web, async () => {
  const { port, dev } = web.opts<{ port?: number; dev?: boolean }>();
  const folder = dev ? undefined : join(packageFolder(), '.cache', 'page');
  if (folder !== undefined) mkdirSync(folder, { recursive: true });
  // A port that cannot be had is known before anything is built.
  const { url } = await servePage({ port, folder });
  if (folder !== undefined) await buildPage(folder);
  console.log(`open ${url} in a browser with WebGPU; Ctrl-C ends`);
});
