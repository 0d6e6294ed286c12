/** `npm run web`: serves the page until Ctrl-C. */
import { Command, Option } from 'commander';
import { runScript } from '../scripts/script.ts';
import { integer } from '../src/cli/arguments.ts';
import { servePage } from './server.ts';

const web = new Command('web')
  .description('Serves a page that makes images in a browser with WebGPU, on this machine only.')
  .addOption(
    new Option('--port <n>', 'port; 0 is any free one (default: the first free one from 8000 on)')
      .env('PORT')
      .argParser(integer(0, 65535)),
  );
await runScript(web, async () => {
  const { url } = await servePage(web.opts<{ port?: number }>().port);
  console.log(`open ${url} in a browser with WebGPU; Ctrl-C ends`);
});
