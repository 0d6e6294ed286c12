/**
 * `npm run test:long [-- --sample N] [--seed S]`: the cases that `npm test` leaves out of its long
 * suites, all of them or a sample of N percent. The gate runs a sample with a fixed seed.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { decimalFrom, integer } from '../../src/cli/arguments.ts';
import { ROOT, sourceFiles } from '../support/sources.ts';

/** Longest time of one test on a software adapter, in milliseconds. */
const TIMEOUT = ['--testTimeout', `${30 * 60_000}`];

const long = new Command('test:long')
  .description('Runs the cases that "npm test" leaves out of its long suites.')
  .argument('[filter...]', 'parts of file names, to run some of the suites')
  .option('--sample <percent>', 'run a sample of the cases', decimalFrom(0, 100), 100)
  .option('--seed <s>', 'what the sample is drawn with', integer(0, 2 ** 32 - 1), 1);

await runScript(long, () => {
  const { sample, seed } = long.opts<{ sample: number; seed: number }>();
  const files = sourceFiles('test')
    .filter(({ path, local }) => path.endsWith('.test.ts') && local.includes('test/support/few.ts'))
    .map(({ path }) => path)
    .filter((path) => long.args.length === 0 || long.args.some((part) => path.includes(part)));
  if (files.length === 0) throw new RangeError(`no long suite has a name like ${long.args}`);
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...files, ...TIMEOUT], {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      LLAMAGEN_LONG_SHARE: String(sample / 100),
      LLAMAGEN_LONG_SEED: String(seed),
    },
  });
  return status ?? 1;
});
