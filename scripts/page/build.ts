/** `npm run web:build`: the page as static files. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { packageFolder } from '../../src/node/files.ts';
import { runScript } from '../script.ts';
import { buildPage } from './build-page.ts';

const build = new Command('web:build')
  .description(
    'Makes the page as static files, the shipped model with them, for any server (https or localhost), any address and without special headers.',
  )
  .option('--out <folder>', 'where; a page that is there is replaced (default: web/dist)');
await runScript(build, async () => {
  const { out = `${packageFolder()}/web/dist` } = build.opts<{ out?: string }>();
  const folder = resolve(out);
  await buildPage(folder);
  console.log(`wrote ${folder}`);
});
