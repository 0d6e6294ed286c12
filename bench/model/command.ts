/** `llamagen generate` as a user runs it: a process of its own, from start to exit. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { readTokens } from '../../src/cli/tokens-file.ts';
import type { ModelJson } from '../../src/index.ts';
import { packageFolder } from '../../src/node/files.ts';
import { repeat, type Timing, timed, timing } from '../repeat.ts';
import type { SameCheck } from '../same-check.ts';
import { classOf, SEED } from './batch.ts';

/** Milliseconds of each phase, as the command reports them. */
interface Phases {
  readonly load: number;
  readonly compile: number;
  readonly tokens: number;
  readonly decode: number;
}

export interface CommandResult {
  /** Whole process: start, adapter, load, shader compilation, tokens, pixels, PNG, exit. */
  readonly processMs: Timing;
  /** Of the fastest run; `other` is start, adapter, PNG and exit. */
  readonly phasesMs: Phases & { readonly other: number };
}

/** @throws Error when the command fails or makes other tokens than the batches did. */
export async function measureCommand(
  model: string,
  config: ModelJson,
  images: number,
  runs: number,
  tokenCheck: SameCheck,
): Promise<CommandResult> {
  const { gridSize, numClasses } = config.gpt;
  const { codebookSize } = config.vq;
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-bench-'));
  const tokensFile = join(folder, 'tokens.json');
  const classes = Array.from({ length: images }, (_, i) => classOf(i, numClasses)).join(',');
  const main = join(packageFolder(), 'src', 'cli', 'main.ts');
  const args = ['--import', import.meta.resolve('tsx'), main, 'generate', '--json'];
  args.push('--model', resolve(model), '--class', classes, '--seed', String(SEED));
  args.push('--out', join(folder, 'out.png'), '--tokens-out', tokensFile);
  try {
    const all = await repeat(runs, async (run) => {
      const { ms, result } = await timed(() => promisify(execFile)(process.execPath, args));
      const made = readTokens(tokensFile, { gridSize, codebookSize }).images;
      for (const [i, { tokens }] of made.entries()) {
        tokenCheck.check(`command for ${images}, run ${run}`, i, tokens);
      }
      const { timings } = JSON.parse(result.stdout) as { timings: Phases };
      const known = timings.load + timings.compile + timings.tokens + timings.decode;
      return { ms, phasesMs: { ...timings, other: ms - known } };
    });
    const fastest = all.reduce((a, b) => (b.ms < a.ms ? b : a));
    return { processMs: timing(all.map(({ ms }) => ms)), phasesMs: fastest.phasesMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
