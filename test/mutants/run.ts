/**
 * `npm run test:mutants [-- name...]`: the tests must fail for every seeded fault. A mutant counts as
 * killed when an assertion fails with it, and only then: a fault that no kernel text has a place for,
 * or one whose text does not compile, is a fault of the list.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vitest } from '../support/vitest.ts';
import type { Mutant } from './mutant.ts';
import { mutants } from './mutants.ts';

interface Outcome {
  readonly killed: boolean;
  readonly why: string;
  readonly seconds: number;
}

/** Each process runs the kernels on the CPU where there is no GPU. */
const PROCESSES = 2;

const scratch = mkdtempSync(join(tmpdir(), 'llamagen-mutants-'));

const CONFIG = ['--config', 'test/mutants/vitest.config.ts'];

async function attempt(mutant: Mutant): Promise<Outcome> {
  const started = performance.now();
  const log = join(scratch, mutant.name);
  writeFileSync(log, '');
  const only = mutant.only ? ['-t', mutant.only] : [];
  const { code, output } = await vitest([...CONFIG, '--bail', '1', ...only, ...mutant.tests], {
    LLAMAGEN_MUTANT: mutant.name,
    LLAMAGEN_MUTANT_LOG: log,
  });
  const seconds = (performance.now() - started) / 1000;
  const applied = readFileSync(log, 'utf8') !== '';
  const failedTests = /Tests +.*\b[1-9]\d* failed/.test(output);
  const outcome = (killed: boolean, why: string): Outcome => ({ killed, why, seconds });
  if (!applied) return outcome(false, 'no kernel text has a place for it');
  if (/WGSL \d+:\d+:/.test(output)) return outcome(false, 'its text does not compile');
  if (code === 0) return outcome(false, 'no test failed');
  if (!failedTests) return outcome(false, `the run broke: ${output.slice(-500)}`);
  return outcome(true, mutant.tests.join(', '));
}

/** Without a fault, the tests that are to notice faults must pass, and be there. */
async function control(chosen: readonly Mutant[]): Promise<string | undefined> {
  const files = [...new Set(chosen.flatMap(({ tests }) => tests))];
  const onlyGolden = files.filter((file) => file !== 'test/golden.test.ts');
  const { code, output } = await vitest(
    [...CONFIG, ...(onlyGolden.length > 0 ? onlyGolden : files)],
    {},
  );
  return code === 0 ? undefined : output;
}

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown.length > 0) {
    console.error(`test:mutants: there is no mutant ${unknown.map((n) => `"${n}"`).join(', ')}`);
    return 2;
  }
  const chosen = mutants.filter(({ name }) => names.length === 0 || names.includes(name));
  const broken = await control(chosen);
  if (broken !== undefined) {
    console.error(`test:mutants: the tests fail without any fault:\n${broken}`);
    return 1;
  }
  const queue = [...chosen];
  const survivors: string[] = [];
  const worker = async (): Promise<void> => {
    for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
      const { killed, why, seconds } = await attempt(mutant);
      if (!killed) survivors.push(mutant.name);
      const verdict = killed ? 'killed  ' : 'SURVIVED';
      console.log(`${verdict} ${mutant.name} (${why}, ${seconds.toFixed(1)} s)`);
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, worker));
  console.log(`${chosen.length - survivors.length} passed, ${survivors.length} failed`);
  return survivors.length > 0 ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} finally {
  rmSync(scratch, { recursive: true });
}
