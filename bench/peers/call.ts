/** Starts runners in processes of their own and asks them things. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackSwiftshader } from '../../src/node/swiftshader.ts';
import type { Answer, Ask, Outputs, Ready, Setup } from './runner.ts';

/** A runner in another process. */
export interface RemoteRunner extends Ready {
  outputs(): Promise<Outputs>;
  /** Milliseconds. */
  sample(): Promise<number>;
  /** Ends the process. */
  end(): void;
}

/** A process that says nothing for so long is given up. */
const LIMIT_MS = 1_800_000;

/**
 * Starts a runner and waits until its task is ready.
 * @param script The module that serves it.
 * @param software Show it only the software adapter, as runtimes that bring their own Dawn need.
 * @throws Error with what the process said when it fails, ends or stays silent for too long.
 */
export async function startRunner(
  script: string,
  setup: Setup,
  software: boolean,
): Promise<RemoteRunner> {
  const child = fork(fileURLToPath(new URL(script, import.meta.url)), [JSON.stringify(setup)], {
    execArgv: ['--import', import.meta.resolve('tsx')],
    env: { ...process.env, ...(software && softwareVariables()) },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ask = <A extends Ask>(what: A): Promise<Answer<A>> => {
    const answered = nextMessage(child, () => said);
    child.send(what);
    return answered as Promise<Answer<A>>;
  };
  const end = (): void => void child.kill('SIGKILL');
  try {
    const ready = (await nextMessage(child, () => said)) as Ready;
    return { ...ready, outputs: () => ask('outputs'), sample: () => ask('sample'), end };
  } catch (error) {
    end();
    throw error;
  }
}

/** Where a Vulkan loader finds SwiftShader, and a loader for systems without one. */
function softwareVariables(): NodeJS.ProcessEnv {
  const { loader, icd } = unpackSwiftshader();
  const folders = [process.env.LD_LIBRARY_PATH, dirname(loader)].filter((folder) => folder);
  return { VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd, LD_LIBRARY_PATH: folders.join(':') };
}

/** What the process says next, unless it is an error, the end or nothing. */
async function nextMessage(child: ChildProcess, said: () => string): Promise<unknown> {
  const abort = new AbortController();
  const { signal } = abort;
  const timer = setTimeout(() => abort.abort(), LIMIT_MS);
  const ended = once(child, 'exit', { signal }).then(([code, name]) => {
    const lines = said().trim().split('\n');
    const line = lines.find((text) => /error|terminate/i.test(text)) ?? lines.at(-1);
    throw new Error(`its process ended with ${name ?? code}: ${line || 'it said nothing'}`);
  });
  try {
    const [message] = await Promise.race([once(child, 'message', { signal }), ended]);
    if ('error' in message) throw new Error(message.error);
    return message.answer;
  } catch (error) {
    throw signal.aborted ? new Error(`no answer within ${LIMIT_MS / 1000} s`) : error;
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}
