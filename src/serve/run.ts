/** A request that is drawn, which one connection follows, or several that ask for the same. */
import { EventQueue } from '../engine/event-queue.ts';
import type { Drawn } from './draw.ts';
import type { Asked } from './read-request.ts';

/** What followers get: pictures as files. */
export type Delivered =
  | {
      readonly type: 'partial';
      readonly image: number;
      readonly index: number;
      readonly file: Uint8Array;
    }
  | {
      readonly type: 'image';
      readonly image: number;
      readonly seed: number;
      readonly file: Uint8Array;
      readonly promptTokens: number;
    };

export interface RunParts {
  readonly asked: Asked;
  readonly draw: (signal: AbortSignal) => AsyncIterable<Drawn>;
  /** Whether others may follow it later, who get what was told before. */
  readonly isShared: boolean;
  readonly encode: (drawn: Exclude<Drawn, { type: 'taken' }>) => Promise<Uint8Array>;
}

export class Run {
  readonly asked: Asked;
  /** In seconds since 1970. */
  readonly created: number = Math.floor(Date.now() / 1000);
  /** Resolves when a backend has taken all images; rejects with why it has not, or that all have left. */
  readonly taken: Promise<void>;
  /** Resolves when nothing comes any more, whyever. */
  readonly ended: Promise<void>;
  readonly #isShared: boolean;
  readonly #stop = new AbortController();
  readonly #followers = new Set<EventQueue<Delivered>>();
  readonly #told: Delivered[] = [];
  #end: { readonly error?: unknown } | undefined;

  constructor(parts: RunParts) {
    this.asked = parts.asked;
    this.#isShared = parts.isShared;
    const { promise, resolve, reject } = withResolvers();
    this.taken = promise;
    promise.catch(() => {}); // who waits for it is told
    this.ended = this.#work(parts, resolve).then(
      () => this.#finish({}),
      (error: unknown) => {
        reject(error);
        this.#finish({ error });
      },
    );
  }

  /** Whether it has come to its images, or may yet. */
  get isGood(): boolean {
    return this.#end ? !('error' in this.#end) : !this.#stop.signal.aborted;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Of all that was told and is kept for who follows later. */
  get byteLength(): number {
    return this.#told.reduce((sum, { file }) => sum + file.byteLength, 0);
  }

  /** All that came and comes; of a run that is not shared, what comes from now on. When the last one who follows leaves (`return`), nothing is drawn on. */
  follow(): AsyncIterableIterator<Delivered> {
    const follower = new EventQueue<Delivered>(() => this.#leave(follower));
    for (const event of this.#told) follower.push(event);
    if (this.#end) close(follower, this.#end);
    else this.#followers.add(follower);
    return follower;
  }

  /** @param reason What followers are told. */
  abort(reason?: unknown): void {
    this.#stop.abort(reason);
  }

  #leave(follower: EventQueue<Delivered>): void {
    this.#followers.delete(follower);
    if (this.#followers.size === 0) this.abort();
  }

  async #work({ asked, draw, encode }: RunParts, onTaken: () => void): Promise<void> {
    let taken = 0;
    for await (const drawn of draw(this.#stop.signal)) {
      if (drawn.type === 'taken') {
        if (++taken === asked.count) onTaken();
      } else {
        this.#tell(delivered(drawn, await encode(drawn)));
      }
    }
  }

  #tell(event: Delivered): void {
    if (this.#isShared) this.#told.push(event);
    for (const follower of this.#followers) follower.push(event);
  }

  #finish(end: { readonly error?: unknown }): void {
    this.#end = end;
    for (const follower of this.#followers) close(follower, end);
    this.#followers.clear();
  }
}

function delivered(drawn: Exclude<Drawn, { type: 'taken' }>, file: Uint8Array): Delivered {
  const { image } = drawn;
  if (drawn.type === 'partial') return { type: 'partial', image, index: drawn.index, file };
  const { seed, promptTokens } = drawn;
  return { type: 'image', image, seed, file, promptTokens };
}

function close(follower: EventQueue<Delivered>, end: { readonly error?: unknown }): void {
  if ('error' in end) follower.fail(end.error);
  else follower.end();
}

/** A promise and what settles it. */
function withResolvers(): {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
} {
  let resolve = (): void => {};
  let reject = (_: unknown): void => {};
  const promise = new Promise<void>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject };
}
