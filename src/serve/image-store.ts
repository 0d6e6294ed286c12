/** Files that clients fetch by a URL, for some time and within a bound on bytes; nothing is on disk. */
import { randomBytes } from 'node:crypto';

export interface StoredImage {
  readonly bytes: Uint8Array;
  /** Content type. */
  readonly type: string;
}

interface Entry extends StoredImage {
  readonly expires: number;
}

/** What is left of its time, in milliseconds. */
export interface Remaining {
  readonly remainingMs: number;
}

export interface StoreLimits {
  readonly maxBytes: number;
  readonly ttlMs: number;
}

/** Bytes of an id: nobody guesses it, so whoever has a URL may see its image. */
const ID_BYTES = 24;

export class ImageStore {
  readonly #limits: StoreLimits;
  readonly #now: () => number;
  /** From old to new. */
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(limits: StoreLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Keeps an image, for which the oldest make room, and gives it a name. */
  add(image: StoredImage): string {
    const id = randomBytes(ID_BYTES).toString('base64url');
    this.#entries.set(id, { ...image, expires: this.#now() + this.#limits.ttlMs });
    this.#bytes += image.bytes.byteLength;
    this.#clean();
    return id;
  }

  get(id: string): (StoredImage & Remaining) | undefined {
    this.#clean();
    const entry = this.#entries.get(id);
    return entry && { ...entry, remainingMs: entry.expires - this.#now() };
  }

  /** All have the same time to live, so those that expire are the first. */
  #clean(): void {
    const now = this.#now();
    for (const [id, { expires, bytes }] of this.#entries) {
      if (expires > now && this.#bytes <= this.#limits.maxBytes) return;
      this.#entries.delete(id);
      this.#bytes -= bytes.byteLength;
    }
  }
}
