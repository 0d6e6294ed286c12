/** Requests that wait for slots: of higher priority first, of equal ones in the order they came. */
import { BusyError } from '../errors.ts';
import type { EngineLoad } from './engine-types.ts';
import type { Job } from './job.ts';
import type { CheckedRequest } from './request.ts';

/** Slots that a request takes. */
export const slotsOf = ({ guided }: Pick<CheckedRequest, 'guided'>): number => (guided ? 2 : 1);

/** @throws BusyError for a request that would have to wait, where `most` do. */
export function checkRoom(
  { waiting, slots, slotsInUse }: EngineLoad,
  request: Pick<CheckedRequest, 'guided'>,
  most: number,
): void {
  const begins = waiting === 0 && slotsInUse + slotsOf(request) <= slots;
  if (begins || waiting < most) return;
  throw new BusyError(
    waiting,
    `${waiting} requests wait for the engine, and no more than ${most} may: try again later`,
  );
}

export class WaitingLine {
  #jobs: Job[] = [];

  get size(): number {
    return this.#jobs.length;
  }

  /** Who is next. */
  get first(): Job | undefined {
    return this.#jobs[0];
  }

  /** @returns How many come before it. */
  add(job: Job): number {
    const behind = this.#jobs.findLastIndex(({ priority }) => priority >= job.priority);
    this.#jobs.splice(behind + 1, 0, job);
    return behind + 1;
  }

  /** Those that are next and fit in so many slots: they wait no longer than to the next pass. */
  fitting(free: number): { readonly jobs: number; readonly slots: number } {
    let [jobs, slots] = [0, 0];
    for (const { request } of this.#jobs) {
      if (slots + slotsOf(request) > free) break;
      jobs++;
      slots += slotsOf(request);
    }
    return { jobs, slots };
  }

  /** Takes out who is next. */
  shift(): void {
    this.#jobs.shift();
  }

  /** Takes out those that nobody waits for. */
  dropGone(): void {
    if (this.#jobs.some(({ isGone }) => isGone)) {
      this.#jobs = this.#jobs.filter(({ isGone }) => !isGone);
    }
  }

  /** Takes out all. */
  clear(): readonly Job[] {
    const all = this.#jobs;
    this.#jobs = [];
    return all;
  }
}
