/** A request on its way through an engine. */
import type { SubmitOptions } from './engine-types.ts';
import { EventQueue } from './event-queue.ts';
import { onAbort } from './on-abort.ts';
import type { CheckedRequest, EngineEvent } from './request.ts';

export class Job {
  readonly request: CheckedRequest;
  /** Its number, for messages. */
  readonly index: number;
  readonly events: EventQueue<EngineEvent>;
  readonly onKnown: SubmitOptions['onKnown'];
  readonly priority: number;
  /** Whether a preview of it is being made. */
  isPreviewing = false;
  /** Tokens that were known when it was last looked at; those before the last given one are not looked at. */
  looked: number;
  readonly #unlisten: () => void;
  #told = 0;

  constructor(
    request: CheckedRequest,
    index: number,
    { signal, onKnown, priority = 0 }: SubmitOptions,
  ) {
    this.request = request;
    this.index = index;
    this.onKnown = onKnown;
    this.priority = priority;
    this.looked = Math.max(0, request.sampling.given - 1);
    this.events = new EventQueue(() => this.#unlisten());
    this.#unlisten = onAbort(signal, () => this.fail(signal?.reason));
  }

  /** Nobody waits for it any more: it was aborted, has failed, or is done. */
  get isGone(): boolean {
    return this.events.hasEnded;
  }

  /** So many tokens are known, after so many passes. */
  tellTokens(done: number, total: number, passes: number): void {
    if (done <= this.#told) return;
    this.#told = done;
    this.events.push(
      { type: 'tokens', done, total, passes },
      (latest) => latest.type === 'tokens' && latest.tokens === undefined,
    );
  }

  finish(): void {
    this.#unlisten();
    this.events.push({ type: 'done' });
    this.events.end();
  }

  fail(error: unknown): void {
    this.#unlisten();
    this.events.fail(error);
  }
}
