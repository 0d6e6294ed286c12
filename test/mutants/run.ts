/**
 * `npm run test:mutants [-- name...]`: the tests must fail for every seeded fault. A mutant counts as
 * killed when an assertion fails with it, and only then: a fault that no kernel text has a place for,
 * or one whose text does not compile, is a fault of the list.
 *
 * With the variable LLAMAGEN_VARIANT the tests of its way to sum have to notice, for tests that are
 * chosen by it; what has no place in their kernels is then no fault of the list, but counted.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { runScript } from '../../scripts/script.ts';
import { OptionError } from '../../src/errors.ts';
import { parseVariant } from '../../src/ops/variant-words.ts';
import { EVERY_CASE } from '../support/few.ts';
import { vitest } from '../support/vitest.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';

interface Outcome {
  readonly verdict: 'killed' | 'absent' | 'SURVIVED';
  readonly why: string;
  readonly seconds: number;
}

/** Each process runs the kernels on the CPU where there is no GPU. */
const PROCESSES = 2;

/** How the forced variant sums, if there is one. */
const { LLAMAGEN_VARIANT } = process.env;
const forced = LLAMAGEN_VARIANT
  ? (parseVariant(LLAMAGEN_VARIANT).variant.reduce ?? 'serial')
  : undefined;

const CONFIG = ['--config', 'test/mutants/vitest.config.ts'];

async function attempt(mutant: Mutant, scratch: string): Promise<Outcome> {
  const started = performance.now();
  const log = join(scratch, mutant.name);
  writeFileSync(log, '');
  const only = forced ? mutant.only?.replaceAll('serial', forced) : mutant.only;
  const chosen = [...(only ? ['-t', only] : []), ...mutant.tests];
  const { code, output } = await vitest([...CONFIG, '--bail', '1', ...chosen], {
    ...EVERY_CASE,
    LLAMAGEN_MUTANT: mutant.name,
    LLAMAGEN_MUTANT_LOG: log,
  });
  const seconds = (performance.now() - started) / 1000;
  const applied = readFileSync(log, 'utf8') !== '';
  const failedTests = /Tests +.*\b[1-9]\d* failed/.test(output);
  const survived = (why: string): Outcome => ({ verdict: 'SURVIVED', why, seconds });
  if (!applied) {
    const why = 'no kernel text has a place for it';
    return only === mutant.only ? survived(why) : { verdict: 'absent', why, seconds };
  }
  if (/WGSL \d+:\d+:/.test(output)) return survived('its text does not compile');
  if (code === 0) return survived('no test failed');
  if (!failedTests) return survived(`the run broke: ${output.slice(-500)}`);
  return { verdict: 'killed', why: mutant.tests.join(', '), seconds };
}

/**
 * Without a fault, the tests that are to notice faults must pass, and be there: the cases of `npm test`,
 * because all of them take minutes.
 */
async function control(chosen: readonly Mutant[]): Promise<string | undefined> {
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))];
  const onlyGolden = files.filter((file) => file !== 'test/golden.test.ts');
  const { code, output } = await vitest(
    [...CONFIG, ...(onlyGolden.length > 0 ? onlyGolden : files)],
    {},
  );
  return code === 0 ? undefined : output;
}

async function runMutants(names: readonly string[], scratch: string): Promise<number> {
  const unknown = names.filter((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown.length > 0) {
    throw new OptionError(`there is no mutant ${unknown.map((n) => `"${n}"`).join(', ')}`);
  }
  const chosen = mutants.filter(({ name }) => names.length === 0 || names.includes(name));
  const broken = await control(chosen);
  if (broken !== undefined) {
    console.error(`test:mutants: the tests fail without any fault:\n${broken}`);
    return 1;
  }
  const queue = [...chosen];
  const count = { killed: 0, absent: 0, SURVIVED: 0 };
  const worker = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      const { verdict, why, seconds } = await attempt(mutant, scratch);
      count[verdict]++;
      console.log(`${verdict.padEnd(8)} ${mutant.name} (${why}, ${seconds.toFixed(1)} s)`);
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, worker));
  const absent = count.absent > 0 ? `, ${count.absent} have no place under ${forced}` : '';
  console.log(`${count.killed} passed, ${count.SURVIVED} failed${absent}`);
  return count.SURVIVED > 0 ? 1 : 0;
}

const script = new Command('test:mutants')
  .description('Runs the tests with every seeded fault in turn; each must make one fail.')
  .argument('[name...]', 'faults of test/mutants/mutants.ts (default: all)');
await runScript(script, async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'llamagen-mutants-'));
  try {
    return await runMutants(script.args, scratch);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
