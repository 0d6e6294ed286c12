/** `npm run build`: what is published, in dist/. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { packageFolder } from '../src/node/files.ts';
import { passes, runScript } from './script.ts';

const build = new Command('build').description('Compiles the library to dist/, with its types.');
await runScript(build, () => {
  // What was built of sources that are gone would be published with the rest.
  rmSync(join(packageFolder(), 'dist'), { recursive: true, force: true });
  const isBuilt =
    passes('tsc', '-p', 'tsconfig.build.json') &&
    passes('node', 'scripts/plain-kernels.mjs') &&
    passes('node', 'scripts/entry-types.mjs');
  return isBuilt ? 0 : 1;
});
