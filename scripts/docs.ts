/** `npm run docs`: writes the pages of `docs/` that are made of the sources. */
import { join } from 'node:path';
import { Command } from 'commander';
import { packageFolder } from '../src/node/files.ts';
import { writeFileAtomic } from '../src/node/output.ts';
import { KERNELS_PAGE, kernelsPage } from './kernel-docs/page.ts';
import { runScript } from './script.ts';

const docs = new Command('docs').description(`Writes ${KERNELS_PAGE}.`);
await runScript(docs, () => {
  writeFileAtomic(join(packageFolder(), KERNELS_PAGE), kernelsPage());
  console.log(KERNELS_PAGE);
});
