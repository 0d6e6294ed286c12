/** Vitest in a process of its own. */
import { spawn } from 'node:child_process';
import { ROOT } from './sources.ts';

export interface VitestRun {
  readonly code: number | null;
  /** What it printed, without colours. */
  readonly output: string;
}

/** Runs vitest with these arguments, and these variables added to those of this process. */
export function vitest(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<VitestRun> {
  const main = new URL('../../node_modules/vitest/vitest.mjs', import.meta.url).pathname;
  const child = spawn(process.execPath, [main, 'run', ...args], {
    cwd: ROOT,
    env: { ...process.env, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}
