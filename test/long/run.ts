/**
 * `npm run test:long [-- --suites N] [--sample P] [--seed S]`: the cases that `npm test` leaves out of
 * its long suites, all of them, or P percent of those of N suites. The gate runs a sample with a fixed
 * seed.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { decimalFrom, integer } from '../../src/cli/arguments.ts';
import { sample } from '../support/few.ts';
import { ROOT, sourceFiles } from '../support/sources.ts';

/** Suites that import one of these are cut. */
const CUT = ['test/support/few.ts', 'test/support/record-tests.ts'];
/** Longest time of one test on a software adapter, in milliseconds. */
const TIMEOUT = ['--testTimeout', `${30 * 60_000}`];

const long = new Command('test:long')
  .description('Runs the cases that "npm test" leaves out of its long suites.')
  .argument('[filter...]', 'parts of file names, to run some of the suites')
  .option('--suites <n>', 'run some of the suites', integer(1, 1000))
  .option('--sample <percent>', 'run a sample of the cases', decimalFrom(0, 100), 100)
  .option('--seed <s>', 'what suites and cases are drawn with', integer(0, 2 ** 32 - 1), 1);

interface Options {
  readonly suites?: number;
  readonly sample: number;
  readonly seed: number;
}

await runScript(long, () => {
  const { suites, sample: percent, seed } = long.opts<Options>();
  const all = sourceFiles('test')
    .filter(({ path, local }) => path.endsWith('.test.ts') && CUT.some((f) => local.includes(f)))
    .filter(({ path }) => path !== 'test/few.test.ts')
    .map(({ path }) => path)
    .filter((path) => long.args.length === 0 || long.args.some((part) => path.includes(part)));
  if (all.length === 0) throw new RangeError(`no long suite has a name like ${long.args}`);
  const files = sample(suites ?? all.length, all, seed);
  const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const { status } = spawnSync(process.execPath, [vitest, 'run', ...files, ...TIMEOUT], {
    cwd: ROOT,
    stdio: 'inherit',
    env: {
      ...process.env,
      LLAMAGEN_LONG_SHARE: String(percent / 100),
      LLAMAGEN_LONG_SEED: String(seed),
    },
  });
  return status ?? 1;
});
