/**
 * Requests with an `Idempotency-Key`: one that comes again, because an answer was lost, joins the run of
 * the first, gets what it came to, or, where that was cut off or failed, draws the same again.
 */
import { createHash } from 'node:crypto';
import { ApiError, badRequest } from './api-error.ts';
import type { Run } from './run.ts';

interface Entry {
  readonly digest: string;
  readonly run: Run;
  readonly expires: number;
}

/** What was asked for, by whom. */
export interface KeyedRequest {
  /** The header. */
  readonly key: string;
  /** Keys of one client mean nothing for another one. */
  readonly client: string;
  readonly body: unknown;
}

const TTL_MS = 600_000;
const MAX_ENTRIES = 1000;
const MAX_BYTES = 64 * 2 ** 20;
const KEY = /^[\x21-\x7e]{1,255}$/;

export class IdempotentRuns {
  /** From old to new. */
  readonly #entries = new Map<string, Entry>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Of the files that are kept. */
  get byteLength(): number {
    let bytes = 0;
    for (const { run } of this.#entries.values()) bytes += run.byteLength;
    return bytes;
  }

  /**
   * @param begin Draws; given the seed of the first time, with that one.
   * @throws ApiError for a key that is none, and for one that another request came with.
   */
  take({ key, client, body }: KeyedRequest, begin: (seed?: number) => Run): Run {
    if (!KEY.test(key)) {
      throw badRequest('the header Idempotency-Key must be 1 to 255 visible characters of ASCII');
    }
    this.#clean();
    const name = `${client} ${key}`;
    const digest = digestOf(body);
    const before = this.#entries.get(name);
    if (before && before.digest !== digest) {
      throw new ApiError(422, 'this Idempotency-Key came with another request before', {
        code: 'idempotency_key_reused',
      });
    }
    if (before?.run.isGood) return before.run;
    const run = begin(before?.run.asked.seed);
    this.#entries.delete(name);
    this.#entries.set(name, { digest, run, expires: this.#now() + TTL_MS });
    void run.ended.then(() => this.#clean());
    return run;
  }

  /** Forgets the oldest where there are too many, too large ones, or too old ones; not those that run. */
  #clean(): void {
    const now = this.#now();
    let bytes = this.byteLength;
    for (const [name, { run, expires }] of this.#entries) {
      const isDue = expires <= now || bytes > MAX_BYTES || this.#entries.size > MAX_ENTRIES;
      if (!isDue || !run.hasEnded) continue;
      this.#entries.delete(name);
      bytes -= run.byteLength;
    }
  }
}

/** The same for the same fields in any order. */
const digestOf = (body: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(Object.entries(Object(body)).sort(([a], [b]) => (a < b ? -1 : 1))))
    .digest('hex');
