/** Judges of faults: a process for each core, killed and replaced where a fault makes it hang or crash. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Question } from './question.ts';

export interface Judgement {
  /**
   * killed: a case failed. hung, crashed: so did the process, which is noticed as well. survived: no case
   * noticed. invalid: the text does not compile. absent: no case that can show it has a place for it.
   * broken: a case fails without any fault.
   */
  readonly verdict: 'killed' | 'hung' | 'crashed' | 'survived' | 'invalid' | 'absent' | 'broken';
  readonly diff: string;
  readonly why: string;
}

/** What a judge says: that it listens, how long the next run may take in milliseconds, or its judgement. */
export type Answer = { readonly ready: true } | { readonly within: number } | Judgement;

/** Loading cases and a device, in milliseconds. */
const START_MS = 120_000;

export interface Judge {
  readonly judge: (question: Question) => Promise<Judgement>;
  readonly close: () => void;
}

/** @param trials URL of a module that exports `trials`. */
export function openJudge(trials: string): Judge {
  let child: ChildProcess | undefined;

  /** With the errors it prints kept short: a fault makes many. */
  const start = (): ChildProcess =>
    fork(new URL('./judge-child.ts', import.meta.url), [trials], {
      execArgv: ['--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });

  const close = (): void => {
    child?.kill('SIGKILL');
    child = undefined;
  };

  /** One conversation: it ends with a judgement, a hang or a crash. */
  const judge = (question: Question): Promise<Judgement> =>
    new Promise((resolve) => {
      const own = child ?? start();
      const fresh = child === undefined;
      child = own;
      let errors = '';
      let ready = !fresh;
      const onError = (text: Buffer): void => {
        errors = (errors + text).slice(-2000);
      };
      let timer: NodeJS.Timeout | undefined;
      const end = (judgement: Judgement): void => {
        clearTimeout(timer);
        own.off('message', onMessage).off('exit', onExit);
        own.stderr?.off('data', onError);
        resolve(judgement);
      };
      const wait = (ms: number): void => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          close();
          const why = `nothing within ${(ms / 1000).toFixed(1)} s`;
          end({ verdict: ready ? 'hung' : 'broken', diff: '', why });
        }, ms);
      };
      const onExit = (code: number | null, signal: string | null): void => {
        child = undefined;
        const why = `the process ended with ${signal ?? code} ${errors}`;
        end({ verdict: ready ? 'crashed' : 'broken', diff: '', why });
      };
      const onMessage = (answer: Answer): void => {
        if ('verdict' in answer) end(answer);
        else if ('within' in answer) wait(answer.within);
        else {
          ready = true;
          own.send(question);
        }
      };
      own.on('message', onMessage).on('exit', onExit);
      own.stderr?.on('data', onError);
      wait(START_MS);
      if (!fresh) own.send(question);
    });

  return { judge, close };
}
