/** One child process that draws, as its parent sees it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fromWire } from '../wire-error.ts';
import { isWorkersFault, type ServedModel } from './backend.ts';
import { type BackendLoad, NO_LOAD } from './load.ts';
import type { RemoteJob } from './remote-job.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './worker-messages.ts';

export interface ChildEvents {
  readonly note: (text: string) => void;
  /** It could not draw this one, and another worker may. */
  readonly handedBack: (job: RemoteJob) => void;
  /** The process is there no more, whatever the reason, and the jobs it had are nobody's. */
  readonly gone: (why: string, jobs: readonly RemoteJob[]) => void;
}

export class ChildWorker {
  /** Given to it and not over. */
  readonly jobs: Map<string, RemoteJob> = new Map();
  /** Resolves when its model is open; rejects when it cannot be, or the process ends before. */
  readonly opened: Promise<readonly ServedModel[]>;
  /** Images that it finished. */
  finished = 0;
  #load: BackendLoad = NO_LOAD;
  readonly #process: ChildProcess;
  readonly #events: ChildEvents;
  #isGone = false;

  /** @param env Added to the environment of this process. */
  constructor(setup: WorkerSetup, env: Readonly<Record<string, string>>, events: ChildEvents) {
    this.#process = start(env);
    this.#events = events;
    this.opened = new Promise((resolve, reject) => {
      this.#process.on('message', (message: FromWorker) => {
        if (message.type === 'ready') {
          this.#load = message.load;
          resolve(message.models);
        } else if (message.type === 'refused') reject(fromWire(message.error));
        else if (message.type === 'note') events.note(message.text);
        else if (message.type === 'load') this.#load = message.load;
        else this.#tell(message);
      });
      const end = (why: string): void => {
        if (this.#isGone) return;
        this.#isGone = true;
        reject(new Error(`a worker ended before its model was open (${why})`));
        const jobs = [...this.jobs.values()];
        this.jobs.clear();
        events.gone(why, jobs);
      };
      this.#process.on('error', (error) => end(error.message));
      this.#process.on('exit', (code, signal) => end(signal ?? `exit code ${code}`));
    });
    this.opened.catch(() => {}); // whoever waits for it is told
    this.#send({ type: 'open', setup });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** What it said last, also when it is gone. */
  get load(): BackendLoad {
    return this.#load;
  }

  submit(job: RemoteJob): void {
    this.jobs.set(job.id, job);
    this.#send({ type: 'submit', id: job.id, job: job.job });
  }

  /** Takes a job out. */
  cancel(id: string): void {
    if (this.jobs.delete(id)) this.#send({ type: 'cancel', id });
  }

  /** Resolves when the process is gone: what has not ended by itself after the deadline is killed. */
  close(deadlineMs: number): Promise<void> {
    if (this.#isGone) return Promise.resolve();
    this.#send({ type: 'close', deadlineMs });
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#process.kill('SIGKILL'), deadlineMs + LINGER_MS);
      this.#process.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #tell(message: Extract<FromWorker, { readonly id: string }>): void {
    const job = this.jobs.get(message.id);
    if (!job) return; // it was taken out meanwhile
    if (message.type === 'event') {
      const { event } = message;
      if (event.type === 'image') this.finished++;
      if (event.type === 'done') this.jobs.delete(job.id);
      job.take(event);
    } else {
      this.jobs.delete(job.id);
      const error = fromWire(message.error);
      if (isWorkersFault(error)) this.#events.handedBack(job);
      else job.fail(error);
    }
  }

  #send(message: ToWorker): void {
    // What cannot be sent any more comes back with the end of the process.
    if (this.#process.connected) this.#process.send(message, () => {});
  }
}

/** How long a process may take to free what it holds. */
const LINGER_MS = 2000;

/** From a checkout the child is TypeScript, as this is. */
function start(env: Readonly<Record<string, string>>): ChildProcess {
  const isSource = import.meta.url.endsWith('.ts');
  const script = new URL(`./worker-process.${isSource ? 'ts' : 'js'}`, import.meta.url);
  return fork(script, [], {
    execArgv: isSource ? ['--import', import.meta.resolve('tsx')] : [],
    env: { ...process.env, ...env },
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}
