/** What API processes and workers leave for each other in Redis: keys, their contents, how long they stay. */
import type { ImageJob, ServedModel } from '../backend.ts';
import type { BackendLoad } from '../load.ts';

/** Prefix of BullMQ's keys. */
export const PREFIX = 'llamagen';

/** Of all jobs that BullMQ keeps. */
export const JOB_NAME = 'image';

/** How often both sides say that they are there. */
export const BEAT_MS = 1000;
/** Who said nothing for so long is gone. */
export const GONE_MS = 5000;
/** What is for somebody who is gone disappears after it. */
export const LEFT_MS = 60_000;

/** Names of this project's own keys of a queue. */
export interface Keys {
  /** Set of workers by id. */
  readonly workers: string;
  /** The `Claim` that all workers share. */
  readonly claim: string;
  /** Channel on which ids of cancelled jobs are published. */
  readonly cancels: string;
  /** What a worker says of itself. */
  readonly worker: (id: string) => string;
  /** There as long as an API process is. */
  readonly api: (id: string) => string;
  /** Stream of the events for an API process. */
  readonly events: (api: string) => string;
  /** There when a job was cancelled that nobody had begun. */
  readonly cancelled: (job: string) => string;
}

export function keysOf(name: string): Keys {
  const key = (...parts: readonly string[]): string => ['llamagen-serve', name, ...parts].join(':');
  return {
    ...{ workers: key('workers'), claim: key('claim'), cancels: key('cancels') },
    worker: (id) => key('worker', id),
    api: (id) => key('api', id),
    events: (api) => key('events', api),
    cancelled: (job) => key('cancelled', job),
  };
}

/** Changes with what is in the records. */
const FORMAT = 2;

/** What BullMQ keeps of a job. */
export interface QueueJob {
  readonly format: number;
  /** API process that waits for it. */
  readonly owner: string;
  readonly job: ImageJob;
  /** Digest of the fingerprint that its pixels must have: workers may be replaced while it waits. */
  readonly fingerprint: string;
}

export const queueJob = (owner: string, job: ImageJob, fingerprint = ''): QueueJob => ({
  format: FORMAT,
  ...{ owner, job, fingerprint },
});

/** A job that others left, or undefined where it is none of this version. */
export function readQueueJob(data: unknown): QueueJob | undefined {
  const { format, owner, job, fingerprint } = Object(data) as Partial<QueueJob>;
  const { model, condition, seed } = Object(job) as Partial<ImageJob>;
  const isJob =
    format === FORMAT &&
    typeof owner === 'string' &&
    typeof fingerprint === 'string' &&
    typeof model === 'string' &&
    typeof seed === 'number' &&
    typeof condition === 'object' &&
    condition !== null;
  return isJob ? (data as QueueJob) : undefined;
}

/** What all workers of a queue draw. */
export interface Claim {
  readonly models: readonly ServedModel[];
}

/** What a worker says of itself at every beat. */
export interface Announcement {
  readonly load: BackendLoad;
}
