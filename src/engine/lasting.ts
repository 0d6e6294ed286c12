/** An engine that outlives its device. */
import { DeviceError, OptionError } from '../errors.ts';
import { differingParts } from '../load/fingerprint.ts';
import { checkModel, type Model } from '../load/model.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import { callback, checkOptions, checkValue } from '../options.ts';
import { addStats, NO_STATS } from './add-stats.ts';
import { createEngine } from './engine.ts';
import {
  type Engine,
  type EngineLoad,
  type EngineStats,
  SUBMIT,
  type SubmitOptions,
} from './engine-types.ts';
import { LastingJob } from './lasting-job.ts';
import {
  LASTING,
  type LastingEngine,
  type LastingEvent,
  type LastingOptions,
  type OpenedModel,
  type OpenModel,
} from './lasting-types.ts';
import { asError, gaveUp, isLoss } from './loss.ts';
import { checkRequest, type ImageRequest } from './request.ts';
import { checkRoom } from './waiting-line.ts';

const MOST_LOSSES = 4;
const PAUSE_MS = 1000;
/** A device that lived so long was well: losing it is the first loss in a row. */
const WELL_MS = 60_000;

/** An engine on a device, for as long as that is there. */
interface Session {
  readonly opened: OpenedModel;
  readonly engine: Engine;
  readonly since: number;
}

/**
 * Makes an engine that opens another device, and the model on it, when one is lost. It is the caller's:
 * destroy it, which closes what was opened.
 * @throws OptionError for an option that cannot be; what `open` throws, and DeviceError where the first
 * device has no room: nothing is tried again that never worked.
 */
export async function createLastingEngine(
  open: OpenModel,
  options: LastingOptions = {},
): Promise<LastingEngine> {
  checkValue('open', open, callback);
  checkOptions('createLastingEngine', options, LASTING);
  return new ReopeningEngine(open, options, await openSession(open, options));
}

async function openSession(
  open: OpenModel,
  { capacity, memoryBytes, rows, aheadMs }: LastingOptions,
): Promise<Session> {
  const opened = await open();
  try {
    checkModel('createLastingEngine: open', opened.model);
    const engine = await createEngine(opened.model, { capacity, memoryBytes, rows, aheadMs });
    return { opened, engine, since: performance.now() };
  } catch (error) {
    opened.close();
    throw error;
  }
}

class ReopeningEngine implements LastingEngine {
  readonly capacity: number;
  readonly #open: OpenModel;
  readonly #options: LastingOptions;
  readonly #mostLosses: number;
  /** In the order in which they were asked for. */
  readonly #jobs = new Set<LastingJob>();
  readonly #runs = new Set<Promise<void>>();
  readonly #whenIdle: (() => void)[] = [];
  #model: Model;
  #session: Session | undefined;
  #ended: Error | undefined;
  #resets = 0;
  /** On devices that are gone. */
  #before: EngineStats = NO_STATS;
  /** In a row. */
  #losses = 0;

  constructor(open: OpenModel, options: LastingOptions, session: Session) {
    this.#open = open;
    this.#options = options;
    this.#mostLosses = options.mostLosses ?? MOST_LOSSES;
    this.capacity = session.engine.capacity;
    this.#model = session.opened.model;
    this.#begin(session);
  }

  get model(): Model {
    return this.#model;
  }

  get jobs(): number {
    return this.#jobs.size;
  }

  get stats(): EngineStats {
    return addStats(this.#before, this.#session?.engine.stats ?? NO_STATS);
  }

  get load(): EngineLoad {
    if (this.#session) return this.#session.engine.load;
    const idle = { running: 0, finishing: 0, slotsInUse: 0, rows: 0, rowsInUse: 0 };
    return { waiting: this.#jobs.size, slots: this.capacity, ...idle };
  }

  get isOpen(): boolean {
    return this.#session !== undefined;
  }

  get resets(): number {
    return this.#resets;
  }

  get ended(): Error | undefined {
    return this.#ended;
  }

  submit(
    request: ImageRequest,
    options: Omit<SubmitOptions, 'onKnown'> = {},
  ): AsyncIterableIterator<LastingEvent> {
    const { onKnown: _, ...checks } = SUBMIT;
    checkOptions('submit', options, checks);
    const checked = checkRequest(this.#model.config, request, this.capacity);
    if (checked.into) {
      throw new OptionError(
        '"into" is of one device, and a lasting engine may go on on another: take the picture of the event "image"',
      );
    }
    if (this.#options.mostWaiting !== undefined) {
      checkRoom(this.load, checked, this.#options.mostWaiting);
    }
    const job = new LastingJob(request, options, () => {
      if (!this.#session) this.#drop(job); // else when the engine has let go of it
    });
    if (this.#ended) job.fail(this.#ended);
    else if (options.signal?.aborted) job.fail(options.signal.reason);
    else {
      this.#jobs.add(job);
      if (this.#session) this.#run(job, this.#session);
      else job.queue(this.#jobs.size - 1);
    }
    return job.events;
  }

  async prepare(
    rows: number,
    window?: number | 'auto',
    captions?: readonly CaptionFeatures[],
  ): Promise<void> {
    if (this.#ended) throw this.#ended;
    const session = this.#session;
    await session?.engine.prepare(rows, window, captions).catch(async (error: unknown) => {
      if (this.#ended) throw this.#ended;
      // Requests wait for what the next device builds, too.
      if (!(await isLoss(session.opened.model.device, error))) throw error;
    });
  }

  idle(): Promise<void> {
    if (this.#jobs.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  destroy(): void {
    this.#close(new DeviceError('destroyed', 'the engine was destroyed: create another'));
  }

  /** Runs what there is on a device, until that is lost. */
  #begin(session: Session): void {
    this.#session = session;
    this.#model = session.opened.model;
    const { lost } = session.opened.model.device;
    const reopening = lost.then(({ message, reason }) => {
      const why = reason === 'destroyed' ? 'it was destroyed' : message || 'no reason was given';
      return this.#reopen(session, new DeviceError('lost', `the GPU device was lost: ${why}`));
    });
    reopening.catch((error: unknown) => this.#end(asError(error))); // of a callback or `close`
    for (const job of this.#jobs) this.#run(job, session);
  }

  /** Runs a request until it ends, or its device does. */
  #run(job: LastingJob, session: Session): void {
    const onProgress = (): void => {
      this.#losses = 0;
    };
    const run = job.run(session.engine, onProgress).catch(async (error: unknown) => {
      if (job.isGone) return;
      if (!(await isLoss(session.opened.model.device, error))) {
        job.fail(error);
        return;
      }
      // A request that no device survives is given up before the engine is.
      const losses = job.lose();
      if (losses >= Math.max(1, this.#mostLosses - 1)) job.fail(gaveUp(losses, error));
    });
    this.#runs.add(run);
    void run.then(() => {
      this.#runs.delete(run);
      if (job.isGone) this.#drop(job);
    });
  }

  #drop(job: LastingJob): void {
    this.#jobs.delete(job);
    if (this.#jobs.size > 0) return;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  /** Opens another device in the place of one that is lost, and goes on there. */
  async #reopen(lost: Session, why: DeviceError): Promise<void> {
    if (this.#session !== lost) return;
    if (performance.now() - lost.since > WELL_MS) this.#losses = 0;
    this.#leave(lost);
    await Promise.all(this.#runs);
    let error: unknown = why;
    while (!this.#ended) {
      const inARow = ++this.#losses;
      this.#options.onLost?.({ error, inARow });
      if (inARow >= this.#mostLosses) {
        this.#end(gaveUp(inARow, error));
        return;
      }
      const { pauseMs = PAUSE_MS } = this.#options;
      if (inARow > 1) await sleep(pauseMs * 2 ** (inARow - 2));
      if (this.#ended) return;
      try {
        const session = await openSession(this.#open, {
          ...this.#options,
          capacity: this.capacity,
        });
        this.#goOn(session);
        return;
      } catch (cause) {
        error = cause;
      }
    }
  }

  /** Goes on with what was opened, if the same tokens come of it. */
  #goOn(session: Session): void {
    if (this.#ended) {
      close(session);
      return;
    }
    const [before, now] = [this.#model.fingerprint, session.opened.model.fingerprint];
    if (before.digest !== now.digest) {
      close(session);
      const parts = differingParts(before.text, now.text).join(', ');
      const message = `what was opened in the place of a lost device makes other images (${parts}): was "${before.text}", is "${now.text}"`;
      this.#end(new DeviceError('lost', message));
      return;
    }
    this.#resets++;
    this.#begin(session);
  }

  /** Gives up. */
  #end(error: Error): void {
    const isNews = this.#ended === undefined;
    this.#close(error);
    if (isNews) this.#options.onEnded?.(error);
  }

  /** Ends for good. */
  #close(error: Error): void {
    this.#ended ??= error;
    for (const job of this.#jobs) {
      job.fail(this.#ended);
      this.#drop(job);
    }
    if (this.#session) this.#leave(this.#session);
  }

  /** Closes what it ran on, and keeps what was counted there. */
  #leave(session: Session): void {
    this.#session = undefined;
    this.#before = addStats(this.#before, session.engine.stats);
    close(session);
  }
}

/** Frees what a session has, of a lost device too. */
function close({ engine, opened }: Session): void {
  engine.destroy();
  opened.close();
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
