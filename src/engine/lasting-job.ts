/** A request that may move from one engine to another: its events go on as if nothing had happened. */
import type { Engine, SubmitOptions } from './engine-types.ts';
import { EventQueue } from './event-queue.ts';
import type { LastingEvent } from './lasting-types.ts';
import { onAbort } from './on-abort.ts';
import type { EngineEvent, ImageRequest } from './request.ts';

export class LastingJob {
  readonly events: EventQueue<LastingEvent>;
  readonly #request: ImageRequest;
  readonly #options: SubmitOptions;
  readonly #stop = new AbortController();
  readonly #onGone: () => void;
  readonly #unlisten: () => void;
  /** Tokens that were read: the ones it goes on with. */
  #known: ArrayLike<number>;
  /** On engines before, and on this one as far as was told. */
  readonly #passes = { before: 0, here: 0 };
  #losses = 0;
  #isRunning = false;
  #wasQueued = false;
  #hasStarted = false;
  /** What was told, in tokens. */
  readonly #told = { count: 0, grid: 0, preview: 0 };

  /** @param onGone Called when nobody waits for it any more, unless it is done. */
  constructor(request: ImageRequest, options: SubmitOptions, onGone: () => void) {
    const { caption, prefix = [] } = request;
    // Copies, for they may be read much later.
    const copy = caption && { ...caption, values: caption.values.slice() };
    this.#request = { ...request, caption: copy };
    this.#options = options;
    this.#onGone = onGone;
    this.#known = Array.from(prefix);
    this.events = new EventQueue(() => this.#leave());
    const { signal } = options;
    this.#unlisten = onAbort(signal, () => this.fail(signal?.reason));
  }

  /** Nobody waits for it any more: it was aborted, has failed, or is done. */
  get isGone(): boolean {
    return this.events.hasEnded;
  }

  /** It waits; so many requests come before it. */
  queue(ahead: number): void {
    if (this.#wasQueued) return;
    this.#wasQueued = true;
    this.events.push({ type: 'queued', ahead });
  }

  /**
   * Runs it on an engine, from the tokens that are known.
   * @param onProgress Called when more of them are.
   * @throws What ended its events there.
   */
  async run(engine: Engine, onProgress: () => void): Promise<void> {
    this.#isRunning = false;
    this.#passes.before += this.#passes.here;
    this.#passes.here = 0;
    const onKnown = (tokens: Uint32Array): void => {
      if (tokens.length <= this.#known.length) return;
      this.#known = tokens;
      this.#losses = 0;
      onProgress();
    };
    const options = { ...this.#options, signal: this.#stop.signal, onKnown };
    const request = { ...this.#request, prefix: this.#known };
    for await (const event of engine.submit(request, options)) this.#take(event);
    this.#unlisten();
    this.events.end();
  }

  /**
   * The device it was on was lost.
   * @returns How many were since more of its tokens became known, while it was running and not waiting.
   */
  lose(): number {
    if (this.#isRunning) this.#losses++;
    return this.#losses;
  }

  fail(error: unknown): void {
    this.#leave();
    this.events.fail(error);
  }

  #leave(): void {
    this.#unlisten();
    this.#stop.abort();
    this.#onGone();
  }

  #take(event: EngineEvent): void {
    switch (event.type) {
      case 'queued':
        this.queue(event.ahead);
        break;
      case 'started':
        this.events.push(
          this.#hasStarted ? { type: 'resumed', done: this.#known.length } : { type: 'started' },
        );
        this.#hasStarted = true;
        this.#isRunning = true;
        break;
      case 'tokens':
        this.#takeTokens(event);
        break;
      case 'preview':
        if (this.#isNew('preview', event.done)) this.events.push(event);
        break;
      case 'image':
        this.events.push({ ...event, passes: this.#passes.before + event.passes });
        break;
      default:
        this.events.push(event);
    }
  }

  #takeTokens(event: Extract<EngineEvent, { type: 'tokens' }>): void {
    const { before, here } = this.#passes;
    this.#passes.here = event.passes ?? here;
    if (!this.#isNew(event.tokens ? 'grid' : 'count', event.done)) return;
    if (event.tokens) this.events.push(event);
    else {
      this.events.push(
        { ...event, passes: before + this.#passes.here },
        (latest) => latest.type === 'tokens' && latest.tokens === undefined,
      );
    }
  }

  /** Whether more is told than before. */
  #isNew(kind: 'count' | 'grid' | 'preview', done: number): boolean {
    if (done <= this.#told[kind]) return false;
    this.#told[kind] = done;
    return true;
  }
}
