/** A backend of child processes with one engine each: a GPU that fails takes one of them along. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { onAbort } from '../engine/on-abort.ts';
import { DeviceError, OptionError } from '../errors.ts';
import { type Backend, closed, type ImageJob, type JobEvent, type ServedModel } from './backend.ts';
import { ChildWorker } from './child-worker.ts';
import { gpusOf } from './gpus.ts';
import { addLoads, type BackendLoad, NO_LOAD } from './load.ts';
import { modelsDifference } from './models-difference.ts';
import { RemoteJob } from './remote-job.ts';
import type { WorkerSetup } from './worker-messages.ts';

export interface WorkersOptions extends WorkerSetup {
  /** Processes, each with an engine. */
  readonly workers: number;
  /** Takes lines that a user should see. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** Called when all workers were given up: no job will be drawn any more. */
  readonly onFailed?: ((error: unknown) => void) | undefined;
  /** Stops opening. */
  readonly signal?: AbortSignal | undefined;
  /** Before a worker is started again, and twice as long after each further failure. Default 1000. */
  readonly pauseMs?: number | undefined;
}

/** A job that was with so many workers that ended is given to no other: it may be what ends them. */
const MOST_ATTEMPTS = 3;
/** A worker that ended so often without an image in between is not started again. */
const MOST_DEATHS = 5;
const PAUSE_MS = 1000;

/**
 * Starts the processes and waits for all of them.
 * @throws What opening the model throws in one of them; OptionError when they do not draw the same pixels.
 */
export async function createWorkersBackend(options: WorkersOptions): Promise<WorkersBackend> {
  const { signal } = options;
  signal?.throwIfAborted();
  const backend = new WorkersBackend(options);
  const unlisten = onAbort(signal, () => void backend.close(0));
  try {
    await backend.open();
    return backend;
  } catch (error) {
    await backend.close(0);
    throw signal?.aborted ? signal.reason : error;
  } finally {
    unlisten();
  }
}

/** A place for a process: what is there dies and is started again. */
interface Place {
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  child: ChildWorker | undefined;
  isReady: boolean;
  /** In a row, without an image in between. */
  deaths: number;
}

export class WorkersBackend implements Backend {
  readonly #options: WorkersOptions;
  readonly #places: readonly Place[];
  readonly #note: (text: string) => void;
  readonly #jobs = new Map<string, RemoteJob>();
  /** For whom there is no worker now. */
  readonly #homeless = new Set<RemoteJob>();
  #models: readonly ServedModel[] = [];
  /** What those did that are gone. */
  #past: BackendLoad = NO_LOAD;
  #deaths = 0;
  #isClosed = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
    this.#note = options.onNote ?? (() => {});
    const { environments, note } = gpusOf(options.workers);
    if (note) this.#note(note);
    this.#places = environments.map((env, i) => ({
      name: `worker ${i + 1}`,
      ...{ env, child: undefined, isReady: false, deaths: 0 },
    }));
  }

  get models(): readonly ServedModel[] {
    return this.#models;
  }

  /** Of those that are up. */
  get pids(): readonly number[] {
    return this.#places.flatMap(({ child }) => child?.pid ?? []);
  }

  /** One after the other where they share a disk and a GPU would do too, but the first tells what is wrong. */
  async open(): Promise<void> {
    const [first, ...others] = this.#places;
    if (!first) throw new OptionError('"workers" expected an integer from 1, got none');
    this.#models = await this.#start(first);
    await Promise.all(others.map((place) => this.#start(place)));
  }

  load(): BackendLoad {
    const up = this.#places.flatMap(({ child }) => (child ? [child.load] : []));
    const { passes, tokens, rowsComputed, rowsFull, resets } = this.#past;
    const past = { ...NO_LOAD, passes, tokens, rowsComputed, rowsFull, resets };
    const running = [...this.#jobs.values()].filter((job) => job.hasStarted).length;
    const sum = addLoads([past, ...up]);
    return {
      ...sum,
      workers: this.#places.filter(({ isReady }) => isReady).length,
      running,
      waiting: this.#jobs.size - running,
      resets: sum.resets + this.#deaths,
    };
  }

  submit(job: ImageJob, { signal }: { readonly signal: AbortSignal }): AsyncIterable<JobEvent> {
    const remote = new RemoteJob(randomUUID(), job, signal, (gone) => {
      this.#jobs.delete(gone.id);
      this.#homeless.delete(gone);
      for (const { child } of this.#places) child?.cancel(gone.id);
    });
    if (signal.aborted) remote.fail(signal.reason);
    else if (this.#isClosed) remote.fail(closed());
    else if (this.#isLost) remote.fail(noneLeft());
    else {
      this.#jobs.set(remote.id, remote);
      this.#give(remote);
    }
    return remote.events;
  }

  ready(): boolean {
    return !this.#isClosed && this.#places.some(({ isReady }) => isReady);
  }

  async close(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    const deadline = performance.now() + deadlineMs;
    // Those who wait for a worker that is being started wait in vain.
    for (const job of this.#homeless) job.fail(closed());
    await Promise.all(
      this.#places.map(({ child }) => child?.close(Math.max(0, deadline - performance.now()))),
    );
    for (const job of this.#jobs.values()) job.fail(closed());
  }

  async #start(place: Place): Promise<readonly ServedModel[]> {
    const { folder, capacity, created, load } = this.#options;
    const setup = { folder, capacity, created, load };
    const child = new ChildWorker(setup, place.env, {
      note: (text) => this.#note(`${place.name}: ${text}`),
      handedBack: (job) => this.#giveAgain(job, child),
      gone: (why, jobs) => this.#onGone(place, child, why, jobs),
    });
    place.child = child;
    const models = await child.opened.catch(async (error) => {
      await child.close(0);
      throw error;
    });
    const problem = modelsDifference(this.#models, models);
    if (problem !== undefined) {
      await child.close(0);
      throw new OptionError(`${place.name} would draw other pixels than the others: ${problem}`);
    }
    place.isReady = true;
    const homeless = [...this.#homeless];
    this.#homeless.clear();
    for (const job of homeless) this.#give(job);
    return models;
  }

  /** Whether all workers were given up. */
  get #isLost(): boolean {
    return this.#places.every(({ isReady, deaths }) => !isReady && deaths >= MOST_DEATHS);
  }

  /**
   * To the one that has least to do.
   * @param last Is asked only where there is no other.
   */
  #give(job: RemoteJob, last?: ChildWorker): void {
    const [least] = this.#places
      .flatMap(({ child, isReady }) => (child && isReady ? [child] : []))
      .sort((a, b) => Number(a === last) - Number(b === last) || a.jobs.size - b.jobs.size);
    if (!least) {
      job.take({ type: 'queued', ahead: this.#homeless.size });
      this.#homeless.add(job);
      return;
    }
    job.attempts++;
    least.submit(job);
  }

  #onGone(place: Place, child: ChildWorker, why: string, jobs: readonly RemoteJob[]): void {
    if (this.#isClosed) for (const job of jobs) job.fail(closed());
    if (place.child !== child) return; // another has its place
    const wasReady = place.isReady;
    place.child = undefined;
    place.isReady = false;
    if (this.#isClosed) return;
    if (!wasReady) return; // whoever started it hears of it
    this.#deaths++;
    this.#past = addLoads([this.#past, child.load]);
    place.deaths = child.finished > 0 ? 1 : place.deaths + 1;
    const others = jobs.length > 0 ? `, and its ${jobs.length} images go on elsewhere` : '';
    this.#note(`${place.name} ended (${why})${others}; it is started again`);
    for (const job of jobs) this.#giveAgain(job);
    void this.#restart(place);
  }

  /** @param from Could not draw it. */
  #giveAgain(job: RemoteJob, from?: ChildWorker): void {
    if (this.#isClosed) {
      job.fail(closed());
      return;
    }
    if (job.attempts >= MOST_ATTEMPTS) {
      const message = `${job.attempts} workers ended or lost their device while they drew this image: it is not tried again`;
      job.fail(new DeviceError('lost', message));
      return;
    }
    job.resume();
    this.#give(job, from);
  }

  async #restart(place: Place): Promise<void> {
    const { pauseMs = PAUSE_MS } = this.#options;
    while (place.deaths < MOST_DEATHS && !this.#isClosed) {
      await pause(pauseMs * 2 ** (place.deaths - 1));
      if (this.#isClosed) return;
      try {
        await this.#start(place);
        return;
      } catch (error) {
        place.deaths++;
        this.#note(
          `${place.name} does not start: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
    if (this.#isClosed) return;
    this.#note(`${place.name} ended ${place.deaths} times without an image: it is given up`);
    if (!this.#isLost) return;
    for (const job of this.#jobs.values()) job.fail(noneLeft());
    this.#options.onFailed?.(noneLeft());
  }
}

const noneLeft = (): DeviceError =>
  new DeviceError('lost', 'no worker is left: all ended again and again');
