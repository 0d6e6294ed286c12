/**
 * `npm run golden -- [--full] <folder> [<folder>...]`: checks this build against golden reference
 * data; with `--full` the full-size models too, those of this project unless folders are given.
 */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { OptionError } from '../../src/errors.ts';
import { PRECISIONS, type PrecisionName } from '../../src/models/precision.ts';
import { type NodeDevice, openDevice } from '../../src/node/device.ts';
import { packageFolder } from '../../src/node/files.ts';
import { caseFolders } from './case.ts';
import type { Check } from './check.ts';
import { runCase } from './run.ts';

interface Options {
  /** Run full-size models too. */
  readonly full: boolean;
  readonly precision: PrecisionName;
}

/** The cases of this project with full-size models. */
const FULL = ['full_gptb_256', 'full_vq16_256'];

async function check(paths: readonly string[], options: Options): Promise<number> {
  const folders = paths.flatMap(caseFolders);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const opened = await openDevice();
  for (const note of opened.notes) console.error(note);
  try {
    for (const folder of folders) await report(opened, folder, options, counts);
  } finally {
    opened.close();
  }
  const { passed, failed, skipped } = counts;
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

function foldersOf(given: readonly string[], full: boolean): readonly string[] {
  if (given.length > 0) return given;
  if (full) return FULL.map((name) => join(packageFolder(), 'test', 'golden', name));
  throw new OptionError('which cases? give folders, such as test/golden');
}

/** Prints the lines of one case and counts its tensors; a case that cannot run counts as one failure. */
async function report(
  { device, kernels }: Pick<NodeDevice, 'device' | 'kernels'>,
  folder: string,
  options: Options,
  counts: { passed: number; failed: number; skipped: number },
): Promise<void> {
  try {
    const { name, checks, skipped } = await runCase(device, folder, { ...kernels, ...options });
    for (const check of checks) {
      console.log(`${name} ${line(check)}`);
      counts[check.pass ? 'passed' : 'failed']++;
    }
    if (skipped === undefined) return;
    console.log(`${name} SKIPPED ${skipped}`);
    counts.skipped++;
  } catch (error) {
    console.log(`${folder} FAIL ${error instanceof Error ? error.message : error}`);
    counts.failed++;
  }
}

function line({ tensor, maxAbsError, nmse, tolerance, pass }: Check): string {
  const numbers = [maxAbsError, nmse].map((n) => n.toExponential(2)).join(' ');
  return `${tensor} ${numbers} ${tolerance} ${pass ? 'PASS' : 'FAIL'}`;
}

const golden = new Command('golden')
  .description('Checks this build against golden reference data.')
  .argument('[folder...]', 'folders of cases, or of folders of cases')
  .option('--full', "full-size models too; without folders, those of this project's cases", false)
  .addOption(
    new Option('--precision <name>', 'in fast: logits, greedy tokens and pixels by its tolerances')
      .choices(PRECISIONS)
      .default('exact'),
  );
await runScript(golden, () => {
  const options = golden.opts<Options>();
  return check(foldersOf(golden.args, options.full), options);
});
