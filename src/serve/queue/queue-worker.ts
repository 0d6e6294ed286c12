/** Takes jobs from a queue and draws them with a backend of this process. */

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { type Job, WaitingError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { DeviceError } from '../../errors.ts';
import { toWire } from '../../wire-error.ts';
import { type Backend, isWorkersFault } from '../backend.ts';
import { connectionOf, openRedis, type QueueAddress } from './address.ts';
import { claimQueue, leaveQueue } from './claim.ts';
import { type QueueEvent, tell } from './events.ts';
import {
  type Announcement,
  BEAT_MS,
  GONE_MS,
  JOB_NAME,
  type Keys,
  keysOf,
  PREFIX,
  type QueueJob,
  readQueueJob,
} from './records.ts';

export interface QueueWorkerOptions {
  readonly address: QueueAddress;
  /** Draws; it stays the caller's. */
  readonly backend: Backend;
  /** Jobs at a time. Default: as many guided images as there are slots for. */
  readonly concurrency?: number | undefined;
  /** A job whose worker said nothing for so long is taken over. Default 10 s. */
  readonly lockMs?: number | undefined;
  /** Called when it can draw no more for this queue: others draw other pixels. Close it then. */
  readonly onFailed?: ((error: unknown) => void) | undefined;
  /** Takes lines that a user should see. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** Stops waiting for the queue. */
  readonly signal?: AbortSignal | undefined;
}

const LOCK_MS = 10_000;
/** So often a job may lose its worker. */
const MOST_TAKEOVERS = 3;

/** Reasons of signals. */
const HANDED_BACK = 'handed back';
const CANCELLED = 'cancelled';

interface Running {
  readonly stop: AbortController;
  readonly owner: string;
  /** Beats at which its owner was missing. */
  orphaned: number;
}

/**
 * Joins a queue and begins to take jobs.
 * @throws OptionError when its workers draw other pixels than this backend; Error when it cannot be reached.
 */
export async function startQueueWorker(options: QueueWorkerOptions): Promise<QueueWorker> {
  const { address, backend, signal, onNote = () => {} } = options;
  const redis = await openRedis(address, onNote, signal);
  const id = randomUUID();
  const keys = keysOf(address.name);
  try {
    // One that is leaving meanwhile must not take the claim for its own.
    await redis.multi().set(keys.worker(id), '', 'PX', GONE_MS).sadd(keys.workers, id).exec();
    await claimQueue(redis, keys, backend.models);
    const cancels = redis.duplicate();
    return new QueueWorker(id, options, redis, cancels);
  } catch (error) {
    if (redis.status === 'ready') await leaveQueue(redis, keys, id).catch(() => {}); // it expires
    redis.disconnect();
    throw error;
  }
}

export class QueueWorker {
  readonly id: string;
  readonly #backend: Backend;
  readonly #note: (text: string) => void;
  readonly #redis: Redis;
  readonly #cancels: Redis;
  readonly #keys: Keys;
  readonly #worker: Worker<QueueJob>;
  readonly #running = new Map<string, Running>();
  readonly #beat: NodeJS.Timeout;
  readonly #fail: (error: unknown) => void;

  constructor(id: string, options: QueueWorkerOptions, redis: Redis, cancels: Redis) {
    this.id = id;
    const { address, backend, lockMs = LOCK_MS, onNote = () => {} } = options;
    const { concurrency = Math.max(1, Math.floor(backend.load().slots / 2)) } = options;
    this.#fail = options.onFailed ?? (() => {});
    this.#backend = backend;
    this.#note = onNote;
    this.#redis = redis;
    this.#cancels = cancels;
    this.#keys = keysOf(address.name);
    cancels.on('error', () => {}); // told of the other connection
    cancels.on('message', (_, id) => this.#running.get(id)?.stop.abort(CANCELLED));
    cancels.subscribe(this.#keys.cancels).catch(() => {}); // done again at every connection
    this.#worker = new Worker(address.name, (job, token = '') => this.#draw(job, token), {
      ...{ prefix: PREFIX, connection: connectionOf(address), concurrency },
      ...{ lockDuration: lockMs, stalledInterval: lockMs / 2, maxStalledCount: MOST_TAKEOVERS },
    });
    this.#worker.on('error', (error) => {
      if (redis.status === 'ready') this.#note(`queue: ${error.message}`);
    });
    this.#worker.on('stalled', (id) => this.#note(`job ${id} lost its worker: it is taken over`));
    this.#beat = setInterval(() => void this.#announce(), BEAT_MS);
    void this.#announce();
  }

  /**
   * Takes no more jobs, finishes those it has, and hands back to the queue what takes longer.
   * @param deadlineMs How long that may be.
   */
  async close(deadlineMs: number): Promise<void> {
    await this.#worker.pause(true);
    const end = performance.now() + deadlineMs;
    while (this.#running.size > 0 && performance.now() < end) await pause(CLOSE_STEP_MS);
    for (const { stop } of this.#running.values()) stop.abort(HANDED_BACK);
    const isReachable = this.#redis.status === 'ready';
    await this.#worker.close(!isReachable);
    clearInterval(this.#beat);
    if (isReachable) await leaveQueue(this.#redis, this.#keys, this.id);
    this.#cancels.disconnect();
    this.#redis.disconnect();
  }

  async #draw(job: Job<QueueJob>, token: string): Promise<void> {
    const { id = '' } = job;
    const asked = readQueueJob(job.data);
    if (!asked || job.name !== JOB_NAME) {
      this.#note(`job ${id} is none of this version: it is dropped`);
      return;
    }
    const { owner } = asked;
    const stop = new AbortController();
    this.#running.set(id, { stop, owner, orphaned: 0 });
    const stopped = aborted(stop.signal);
    const say = (event: QueueEvent): Promise<void> => {
      const told = tell(this.#redis, this.#keys.events(owner), { job: id, by: token, event });
      return Promise.race([told, stopped]);
    };
    try {
      if (await this.#isUnwanted(id, owner)) return;
      this.#checkPixels(asked);
      for await (const event of this.#backend.submit(asked.job, { signal: stop.signal })) {
        await say(event);
      }
    } catch (error) {
      if (stop.signal.reason === HANDED_BACK) {
        await job.moveToWait(token);
        throw new WaitingError();
      }
      if (stop.signal.aborted) return;
      const { attempts = 1 } = job.opts;
      if (isWorkersFault(error) && job.attemptsMade + 1 < attempts) throw error; // for another worker
      await say({ type: 'failed', error: toWire(error) });
    } finally {
      this.#running.delete(id);
    }
  }

  /** @throws DeviceError for a job of workers that this one replaced: its answer states their fingerprint. */
  #checkPixels({ job, fingerprint }: QueueJob): void {
    const model = this.#backend.models.find(({ name }) => name === job.model);
    if (model?.fingerprint.digest === fingerprint) return;
    const message = 'the workers of this queue were replaced by others, which draw other pixels';
    throw new DeviceError('lost', message);
  }

  /** Whether nobody waits for a job any more. */
  async #isUnwanted(id: string, owner: string): Promise<boolean> {
    const { api, cancelled } = this.#keys;
    const [isOwned, isCancelled] = await Promise.all([
      this.#redis.exists(api(owner)),
      this.#redis.exists(cancelled(id)),
    ]);
    return isOwned === 0 || isCancelled === 1;
  }

  /** Says that it is there, and looks whether those are who wait for what it draws. */
  async #announce(): Promise<void> {
    if (this.#redis.status !== 'ready') return;
    const { workers, worker } = this.#keys;
    const announcement: Announcement = { load: this.#backend.load() };
    try {
      await claimQueue(this.#redis, this.#keys, this.#backend.models);
      await this.#redis.set(worker(this.id), JSON.stringify(announcement), 'PX', GONE_MS);
      await this.#redis.sadd(workers, this.id);
      for (const [id, running] of this.#running) {
        const isUnwanted = await this.#isUnwanted(id, running.owner);
        running.orphaned = isUnwanted ? running.orphaned + 1 : 0;
        // An owner that lost the queue for a moment is there at its next beat.
        if (running.orphaned > ORPHANED_BEATS) running.stop.abort(CANCELLED);
      }
    } catch (error) {
      if (this.#redis.status !== 'ready') return;
      this.#note(`queue: ${error instanceof Error ? error.message : error}`);
      if (error instanceof Error && error.name === 'OptionError') this.#fail(error);
    }
  }
}

const CLOSE_STEP_MS = 20;
const ORPHANED_BEATS = 2;

/** Rejects when a signal aborts; nobody need wait for it. */
function aborted(signal: AbortSignal): Promise<never> {
  const promise = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  promise.catch(() => {});
  return promise;
}
