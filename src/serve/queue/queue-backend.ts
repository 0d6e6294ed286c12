/** A backend that puts jobs into a queue, for workers on any machine. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { DeviceError } from '../../errors.ts';
import { fromWire } from '../../wire-error.ts';
import {
  type Backend,
  closed,
  type ImageJob,
  type JobEvent,
  type ServedModel,
} from '../backend.ts';
import { addLoads, type BackendLoad } from '../load.ts';
import { modelsDifference } from '../models-difference.ts';
import { RemoteJob } from '../remote-job.ts';
import { connectionOf, openRedis, type QueueAddress } from './address.ts';
import { firstClaim, readClaim } from './claim.ts';
import { hear, type Told } from './events.ts';
import {
  type Announcement,
  BEAT_MS,
  GONE_MS,
  JOB_NAME,
  type Keys,
  keysOf,
  LEFT_MS,
  PREFIX,
  type QueueJob,
  queueJob,
} from './records.ts';

export interface QueueBackendOptions {
  readonly address: QueueAddress;
  /** Takes lines that a user should see. */
  readonly onNote?: ((text: string) => void) | undefined;
  /** Stops waiting for the queue and its first worker. */
  readonly signal?: AbortSignal | undefined;
}

/** A job of which nothing was heard for so long is looked for. */
const SILENT_MS = 3000;
/** So often a job is put into the queue, and so often workers try it each time. */
const MOST_ATTEMPTS = 3;
const RETRY_MS = 200;
/** Jobs that failed are kept so long, in seconds, and no more of them than that. */
const FAILED_KEPT = { age: 600, count: 1000 };
const CLOSE_STEP_MS = 20;

/**
 * Connects to the queue and waits for the first worker, who says what is drawn.
 * @throws Error when the queue cannot be reached; the signal's reason.
 */
export async function createQueueBackend(options: QueueBackendOptions): Promise<Backend> {
  const { address, signal, onNote = () => {} } = options;
  const redis = await openRedis(address, onNote, signal);
  try {
    const onWait = (): void =>
      onNote(
        `no worker has come to the queue "${address.name}" yet: start one with "llamagen worker --queue ${address.shown}"`,
      );
    const { models } = await firstClaim(redis, keysOf(address.name), { onWait, signal });
    const backend = new QueueBackend(options, redis, models);
    await backend.beat();
    return backend;
  } catch (error) {
    redis.disconnect();
    throw error;
  }
}

/** A job and what is known of whoever draws it. */
interface Sent {
  readonly remote: RemoteJob;
  readonly data: QueueJob;
  /** All who drew it: a worker that was thought gone may tell of it too. */
  readonly tellers: Set<string>;
  /** When something was last heard of it. */
  heard: number;
  /** Times in a row that it was not found. */
  missed: number;
}

class QueueBackend implements Backend {
  readonly #id = randomUUID();
  readonly #note: (text: string) => void;
  readonly #address: QueueAddress;
  readonly #redis: Redis;
  readonly #reader: Redis;
  readonly #queue: Queue<QueueJob>;
  readonly #keys: Keys;
  readonly #jobs = new Map<string, Sent>();
  readonly #timer: NodeJS.Timeout;
  #models: readonly ServedModel[];
  #workers: readonly Announcement[] = [];
  /** Of all API processes together. */
  #waiting = 0;
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(options: QueueBackendOptions, redis: Redis, models: readonly ServedModel[]) {
    const { address, onNote = () => {} } = options;
    this.#note = onNote;
    this.#address = address;
    this.#redis = redis;
    this.#models = models;
    this.#keys = keysOf(address.name);
    this.#queue = new Queue(address.name, { prefix: PREFIX, connection: connectionOf(address) });
    this.#queue.on('error', (error) => {
      if (redis.status === 'ready') this.#note(`queue: ${error.message}`);
    });
    this.#reader = redis.duplicate();
    this.#reader.on('error', () => {}); // told of the other connection
    void this.#listen();
    this.#timer = setInterval(() => void this.beat(), BEAT_MS);
  }

  get models(): readonly ServedModel[] {
    return this.#models;
  }

  load(): BackendLoad {
    const sum = addLoads(this.#workers.map(({ load }) => load));
    const own = [...this.#jobs.values()].filter(({ remote }) => !remote.hasStarted).length;
    return { ...sum, waiting: Math.max(own, this.#waiting + sum.waiting) };
  }

  submit(job: ImageJob, { signal }: { readonly signal: AbortSignal }): AsyncIterable<JobEvent> {
    const remote = new RemoteJob(randomUUID(), job, signal, () => this.#leave(remote));
    if (signal.aborted) remote.fail(signal.reason);
    else if (this.#isClosed) remote.fail(closed());
    else if (this.#redis.status !== 'ready') remote.fail(this.#unreachable());
    else {
      const model = this.#models.find(({ name }) => name === job.model);
      const data = queueJob(this.#id, job, model?.fingerprint.digest);
      const sent: Sent = { remote, data, tellers: new Set(), heard: performance.now(), missed: 0 };
      this.#jobs.set(remote.id, sent);
      remote.take({ type: 'queued', ahead: this.load().waiting - 1 });
      void this.#put(sent);
    }
    return remote.events;
  }

  ready(): boolean {
    return !this.#isClosed && this.#redis.status === 'ready' && this.#workers.length > 0;
  }

  close(deadlineMs: number): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    const end = performance.now() + deadlineMs;
    while (this.#jobs.size > 0 && performance.now() < end) await pause(CLOSE_STEP_MS);
    const left = [...this.#jobs.values()].map(({ remote }) => remote);
    this.#jobs.clear(); // they are cancelled below, which is waited for
    for (const remote of left) remote.fail(closed());
    clearInterval(this.#timer);
    if (this.#redis.status === 'ready') {
      await Promise.all(left.map(({ id }) => this.#cancel(id)));
      await this.#redis.del(this.#keys.api(this.#id), this.#keys.events(this.#id));
      await this.#queue.close();
    } else await this.#queue.disconnect();
    this.#reader.disconnect();
    this.#redis.disconnect();
  }

  /** Says that this process is there, and looks who else is. */
  async beat(): Promise<void> {
    if (this.#redis.status !== 'ready') return;
    const { api, workers, worker } = this.#keys;
    try {
      await this.#redis.set(api(this.#id), '1', 'PX', GONE_MS);
      const ids = await this.#redis.smembers(workers);
      const said = ids.length > 0 ? await this.#redis.mget(ids.map(worker)) : [];
      const gone = ids.filter((_, i) => said[i] === null);
      if (gone.length > 0) await this.#redis.srem(workers, ...gone);
      this.#workers = said.flatMap((text) => (text ? [JSON.parse(text) as Announcement] : []));
      const counts = await this.#queue.getJobCounts('waiting', 'delayed', 'prioritized');
      this.#waiting = Object.values(counts).reduce((sum, count) => sum + count, 0);
      await this.#followClaim();
      const silent = performance.now() - SILENT_MS;
      const unheard = [...this.#jobs.values()].filter(({ heard }) => heard < silent);
      await Promise.all(unheard.map((sent) => this.#lookFor(sent)));
    } catch (error) {
      if (this.#redis.status !== 'ready') return; // told already
      this.#note(`queue: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Workers that came after all others had left may draw something else. */
  async #followClaim(): Promise<void> {
    const claim = await readClaim(this.#redis, this.#keys);
    if (!claim) return;
    const difference = modelsDifference(this.#models, claim.models);
    if (difference === undefined) return;
    this.#note(`the workers of the queue were replaced: ${difference}`);
    this.#models = claim.models;
  }

  async #put({ remote, data }: Sent): Promise<void> {
    remote.attempts++;
    try {
      await this.#redis.set(this.#keys.api(this.#id), '1', 'PX', GONE_MS);
      await this.#queue.add(JOB_NAME, data, {
        jobId: remote.id,
        attempts: MOST_ATTEMPTS,
        backoff: { type: 'fixed', delay: RETRY_MS },
        removeOnComplete: true,
        removeOnFail: FAILED_KEPT,
      });
      // It may have been cancelled meanwhile.
      if (!this.#jobs.has(remote.id)) await this.#cancel(remote.id);
    } catch (error) {
      // Not the error itself: it has the job in it, and so its prompt.
      const reason = error instanceof Error ? error.message : error;
      remote.fail(new DeviceError('lost', `the queue did not take this image: ${reason}`));
    }
  }

  /** Nobody waits for a job any more. */
  #leave(remote: RemoteJob): void {
    const isPut = this.#jobs.delete(remote.id);
    const isReachable = this.#redis.status === 'ready';
    if (remote.isDone || !isPut || !isReachable) return;
    this.#cancel(remote.id).catch(() => {}); // then workers find it out themselves
  }

  async #cancel(id: string): Promise<void> {
    const removed = await this.#queue.remove(id);
    if (removed === 1) return;
    await this.#redis.set(this.#keys.cancelled(id), '1', 'PX', LEFT_MS);
    await this.#redis.publish(this.#keys.cancels, id);
  }

  /** Takes what workers tell, until the connection is closed. */
  async #listen(): Promise<void> {
    while (this.#reader.status !== 'end') {
      try {
        for await (const told of hear(this.#reader, this.#keys.events(this.#id))) this.#hear(told);
      } catch (error) {
        this.#note(`queue: ${error instanceof Error ? error.message : error}`);
        await pause(BEAT_MS);
      }
    }
  }

  #hear({ job: id, by, event }: Told): void {
    const sent = this.#jobs.get(id);
    if (!sent) return; // cancelled, or a second worker finished it too
    if (!sent.tellers.has(by) && sent.tellers.size > 0) sent.remote.resume();
    sent.tellers.add(by);
    sent.heard = performance.now();
    sent.missed = 0;
    if (event.type !== 'failed') {
      sent.remote.take(event);
      return;
    }
    this.#jobs.delete(id); // there is nothing to cancel
    sent.remote.fail(fromWire(event.error));
  }

  /** A job of which nothing is heard: it waits, runs long, was lost with the queue, or was given up. */
  async #lookFor(sent: Sent): Promise<void> {
    const { remote } = sent;
    const found = await this.#queue.getJob(remote.id);
    if (found?.finishedOn !== undefined && found.failedReason) {
      const message = `no worker could draw this image: ${found.failedReason}`;
      remote.fail(new DeviceError('lost', message));
      return;
    }
    if (found) {
      sent.missed = 0;
      sent.heard = performance.now();
      return;
    }
    sent.missed++;
    // What a worker told last may be on its way.
    if (sent.missed < 2) return;
    if (remote.attempts >= MOST_ATTEMPTS) {
      remote.fail(new DeviceError('lost', 'the queue lost this image again and again'));
      return;
    }
    this.#note(`the queue lost job ${remote.id}: it is put there again`);
    sent.missed = 0;
    sent.heard = performance.now();
    await this.#put(sent);
  }

  #unreachable(): DeviceError {
    return new DeviceError('lost', `the queue at ${this.#address.shown} cannot be reached now`);
  }
}
