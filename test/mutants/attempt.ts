/** Judges a fault by tests: vitest in a process of its own, with the fault in every text that has a place. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EVERY_CASE } from '../support/few.ts';
import { vitest } from '../support/vitest.ts';
import type { Judgement } from './judge.ts';
import type { Question } from './question.ts';

const CONFIG = ['--config', 'test/mutants/vitest.config.ts'];

/**
 * @param args Test files and options of vitest.
 * @param env Which cases it runs of long suites: all, or with `{}` those of `npm test`.
 */
export async function attempt(
  question: Question,
  args: readonly string[],
  env: Readonly<Record<string, string>> = EVERY_CASE,
): Promise<Judgement> {
  const scratch = mkdtempSync(join(tmpdir(), 'llamagen-mutants-'));
  const log = join(scratch, 'applied');
  writeFileSync(log, '');
  try {
    const { code, output } = await vitest([...CONFIG, '--bail', '1', ...args], {
      ...env,
      LLAMAGEN_MUTANT: JSON.stringify(question),
      LLAMAGEN_MUTANT_LOG: log,
    });
    const diff = readFileSync(log, 'utf8').split('\n\n')[0] ?? '';
    return { ...verdictOf(code, output, diff !== ''), diff };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function verdictOf(code: number | null, output: string, applied: boolean): Omit<Judgement, 'diff'> {
  if (!applied) return { verdict: 'absent', why: 'no kernel text has a place for it' };
  if (/WGSL \d+:\d+:/.test(output)) return { verdict: 'invalid', why: 'its text does not compile' };
  if (code === 0) return { verdict: 'survived', why: 'no test failed' };
  if (/Tests +.*\b[1-9]\d* failed/.test(output)) return { verdict: 'killed', why: 'a test failed' };
  return { verdict: 'broken', why: `the run broke: ${output.slice(-500)}` };
}

/** Without a fault these tests must pass, and be there: with the cases of `npm test` alone. */
export async function control(files: readonly string[]): Promise<string | undefined> {
  if (files.length === 0) return undefined;
  const { code, output } = await vitest([...CONFIG, ...files], {});
  return code === 0 ? undefined : output;
}
