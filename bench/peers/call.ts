/** Starts runners in processes of their own and asks them things. */
import { type ChildProcess, fork } from 'node:child_process';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackSwiftshader } from '../../src/node/swiftshader.ts';
import type { Ask, Message, Outputs, Setup } from './runner.ts';

export type Ready = Extract<Message, { readonly ready: unknown }>['ready'];

/** A runner in another process. */
export interface RemoteRunner extends Ready {
  outputs(): Promise<Outputs>;
  /** Milliseconds. */
  sample(): Promise<number>;
  /** Ends the process. */
  end(): void;
}

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
  limitMs: number,
): Promise<RemoteRunner> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = fork(path, [JSON.stringify(setup)], {
    execArgv: ['--import', import.meta.resolve('tsx')],
    env: { ...process.env, ...(software && softwareVariables()) },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const said = { text: '' };
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said.text += text;
  });
  try {
    const first = await answer(child, said, limitMs);
    if (!('ready' in first)) throw new Error('the runner answered before it was asked');
    const ask = (what: Ask): Promise<Message> => {
      const answered = answer(child, said, limitMs);
      child.send(what);
      return answered;
    };
    return {
      ...first.ready,
      async outputs() {
        const message = await ask('outputs');
        if ('outputs' in message) return message.outputs;
        throw new Error('the runner gave no outputs');
      },
      async sample() {
        const message = await ask('sample');
        if ('sample' in message) return message.sample;
        throw new Error('the runner gave no time');
      },
      end: () => void child.kill('SIGKILL'),
    };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** Where a Vulkan loader finds SwiftShader, and a loader for systems without one. */
function softwareVariables(): NodeJS.ProcessEnv {
  const { loader, icd } = unpackSwiftshader();
  const folders = [process.env.LD_LIBRARY_PATH, dirname(loader)].filter((folder) => folder);
  return { VK_DRIVER_FILES: icd, VK_ICD_FILENAMES: icd, LD_LIBRARY_PATH: folders.join(':') };
}

/** The next message, unless it is an error or there is none. */
function answer(child: ChildProcess, said: { text: string }, limitMs: number): Promise<Message> {
  return new Promise((resolve, reject) => {
    const settle = (work: () => void): void => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit).off('error', onError);
      work();
    };
    const fail = (why: string): void => settle(() => reject(new Error(why)));
    const onMessage = (message: Message): void =>
      'error' in message ? fail(message.error) : settle(() => resolve(message));
    const onExit = (code: number | null, signal: string | null): void => {
      const lines = said.text.trim().split('\n');
      const line = lines.find((text) => /error|terminate/i.test(text)) ?? lines.at(-1);
      fail(`its process ended with ${signal ?? code}: ${line || 'it said nothing'}`);
    };
    const onError = (error: Error): void => fail(error.message);
    const timer = setTimeout(() => fail(`no answer within ${limitMs / 1000} s`), limitMs);
    child.on('message', onMessage).on('exit', onExit).on('error', onError);
  });
}
