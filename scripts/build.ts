/** `npm run build`: what is published, in dist/. */
import { Command } from 'commander';
import { passes, runScript } from './script.ts';

const build = new Command('build').description('Compiles the library to dist/, with its types.');
await runScript(build, () =>
  passes('tsc', '-p', 'tsconfig.build.json') && passes('node', 'scripts/entry-types.mjs') ? 0 : 1,
);
