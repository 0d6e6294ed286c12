/** `llamagen` as processes that serve, for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT } from '../support/sources.ts';

export interface Run {
  readonly process: ChildProcess;
  /** All that it said so far. */
  readonly out: () => string;
  readonly err: () => string;
}

/**
 * Starts the command in a group of its own, as a terminal does.
 * @param env Added to the environment.
 */
export function startLlamagen(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Run {
  const main = join(ROOT, 'src/cli/main.ts');
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    detached: true,
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  return { process: child, out: () => out, err: () => err };
}

/** Sends a signal, unless it has ended. @returns Its exit code. */
export async function stop(
  { process: child }: Run,
  signal: NodeJS.Signals,
): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
  return child.exitCode;
}

/** Asks for one image, as base64. */
export const generate = (url: string, body: object): Promise<Response> =>
  fetch(`${url}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ response_format: 'b64_json', ...body }),
  });
