/** A job that others draw for this process, maybe one after another. */
import { EventQueue } from '../engine/event-queue.ts';
import { onAbort } from '../engine/on-abort.ts';
import type { ImageJob, JobEvent } from './backend.ts';

/** Its events are those of one run, whoever drew: what a second worker tells again is left out. */
export class RemoteJob {
  readonly id: string;
  readonly job: ImageJob;
  readonly events: EventQueue<JobEvent>;
  /** How often it was given to somebody. */
  attempts = 0;
  readonly #leave: () => void;
  #isQueued = false;
  #hasStarted = false;
  #isDrawn = false;
  #isDone = false;
  #previewed = 0;

  /** @param onGone Called once when nobody waits for it any more, or it is over. */
  constructor(id: string, job: ImageJob, signal: AbortSignal, onGone: (job: RemoteJob) => void) {
    this.id = id;
    this.job = job;
    let isOver = false;
    this.#leave = () => {
      if (isOver) return;
      isOver = true;
      unlisten();
      onGone(this);
    };
    this.events = new EventQueue(this.#leave);
    const unlisten = onAbort(signal, () => this.fail(signal.reason));
  }

  /** Whether it came to its end, rather than being given up. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether it has slots somewhere. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  take(event: JobEvent): void {
    // What is done without a picture lost it on the way: a queue keeps so many events and no more.
    if (this.#isDrawn !== (event.type === 'done')) return;
    if (event.type === 'image') this.#isDrawn = true;
    if (event.type === 'queued') {
      if (this.#isQueued) return;
      this.#isQueued = true;
    } else if (event.type === 'started') {
      if (this.#hasStarted) return;
      this.#hasStarted = true;
    } else if (event.type === 'preview') {
      if (event.done <= this.#previewed) return;
      this.#previewed = event.done;
    }
    const isPreview = event.type === 'preview';
    this.events.push(event, (latest) => isPreview && latest.type === 'preview');
    if (event.type !== 'done') return;
    this.#isDone = true;
    this.events.end();
    this.#leave();
  }

  /** Whoever drew it is gone; another begins it again. */
  resume(): void {
    if (this.#hasStarted && !this.#isDrawn) this.events.push({ type: 'resumed', done: 0 });
  }

  fail(error: unknown): void {
    this.events.fail(error);
    this.#leave();
  }
}
