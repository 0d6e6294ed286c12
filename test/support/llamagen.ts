/** Runs the command `llamagen` as a user does, in a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './sources.ts';

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  /** Sends SIGINT as soon as stdout has this text. */
  readonly interruptAt?: string;
  /** Sends SIGINT as soon as this holds; it is asked again and again. */
  readonly interruptWhen?: () => boolean;
  /** Number of signals of `interruptWhen`. Default 1. */
  readonly interrupts?: number;
  /** Sends SIGINT once this resolves. */
  readonly interruptAfter?: Promise<unknown>;
  /** Variables on top of those of this process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Between two questions of `interruptWhen`. */
const ASK_MS = 10;
/** Between two signals, so that they do not become one. */
const SIGNAL_GAP_MS = 5;

/** Resolves when the process has ended, whatever its exit code. */
export function llamagen(args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const tsx = import.meta.resolve('tsx');
  const main = join(ROOT, 'src', 'cli', 'main.ts');
  const child = spawn(process.execPath, ['--import', tsx, main, ...args], {
    cwd: options.cwd ?? ROOT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr, interrupted] = ['', '', false];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (interrupted || !options.interruptAt || !stdout.includes(options.interruptAt)) return;
    interrupted = true;
    child.kill('SIGINT');
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const { interruptWhen, interrupts = 1 } = options;
  const asking = setInterval(() => {
    if (!interruptWhen?.()) return;
    clearInterval(asking);
    for (let i = 0; i < interrupts; i++) setTimeout(() => child.kill('SIGINT'), i * SIGNAL_GAP_MS);
  }, ASK_MS);
  void options.interruptAfter?.then(() => child.kill('SIGINT'));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(asking);
      resolve({ code, stdout, stderr });
    });
  });
}
