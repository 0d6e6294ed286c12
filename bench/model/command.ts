/** `llamagen generate` as a user runs it: a process of its own, from start to exit. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
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
  const folder = mkdtempSync(join(tmpdir(), 'llamagen-bench-'));
  const tokensFile = join(folder, 'tokens.json');
  const classes = Array.from({ length: images }, (_, i) => classOf(i, numClasses)).join(',');
  const args = ['generate', '--json', '--model', resolve(model), '--class', classes];
  args.push('--seed', String(SEED), '--out', join(folder, 'out.png'), '--tokens-out', tokensFile);
  try {
    const all = await repeat(runs, async (run) => {
      const { ms, result } = await timed(() => llamagen(args));
      const { codebookSize } = config.vq;
      for (const [i, { tokens }] of readTokens(tokensFile, {
        gridSize,
        codebookSize,
      }).images.entries()) {
        tokenCheck.check(`command for ${images}, run ${run}`, i, tokens);
      }
      const { timings } = JSON.parse(result) as { timings: Phases };
      const known = timings.load + timings.compile + timings.tokens + timings.decode;
      return { ms, phasesMs: { ...timings, other: ms - known } };
    });
    const fastest = all.reduce((a, b) => (b.ms < a.ms ? b : a));
    return { processMs: timing(all.map(({ ms }) => ms)), phasesMs: fastest.phasesMs };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the command prints on stdout. */
function llamagen(args: readonly string[]): Promise<string> {
  const main = join(packageFolder(), 'src', 'cli', 'main.ts');
  const tsx = import.meta.resolve('tsx');
  const child = spawn(process.execPath, ['--import', tsx, main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((done, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) done(stdout);
      else reject(new Error(`llamagen ${args.join(' ')} ended with ${code}:\n${stderr}`));
    });
  });
}
