/**
 * `npm run golden -- [--full] <folder> [<folder>...]`: checks this build against golden reference
 * data; with `--full` the full-size models too.
 */
import { parseArgs } from 'node:util';
import { OptionError } from '../../src/errors.ts';
import { openDevice } from '../../src/node/device.ts';
import { caseFolders } from './case.ts';
import type { Check } from './check.ts';
import { runCase } from './run.ts';

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals: paths } = parse(args);
  const folders = paths.flatMap(caseFolders);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const opened = await openDevice();
  for (const note of opened.notes) console.error(note);
  try {
    for (const folder of folders) await report(opened.device, folder, values.full, counts);
  } finally {
    opened.close();
  }
  const { passed, failed, skipped } = counts;
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

function parse(args: readonly string[]) {
  try {
    const options = { full: { type: 'boolean', default: false } } as const;
    const parsed = parseArgs({ args: [...args], options, allowPositionals: true });
    if (parsed.positionals.length > 0) return parsed;
  } catch (error) {
    throw new OptionError(error instanceof Error ? error.message : String(error));
  }
  throw new OptionError('usage: npm run golden -- [--full] <folder> [<folder>...]');
}

/** Prints the lines of one case and counts its tensors; a case that cannot run counts as one failure. */
async function report(
  device: GPUDevice,
  folder: string,
  full: boolean,
  counts: { passed: number; failed: number; skipped: number },
): Promise<void> {
  try {
    const { name, checks, skipped } = await runCase(device, folder, { full });
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

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    console.error(`golden: ${error instanceof Error ? error.message : error}`);
    process.exitCode = error instanceof OptionError ? 2 : 1;
  },
);
