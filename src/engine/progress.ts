/** How far a run is. */

/** `compile` counts programs, `tokens` tokens of all images, `decode` images. */
export interface Progress {
  readonly phase: 'compile' | 'tokens' | 'decode';
  readonly done: number;
  readonly total: number;
  /** Spent in this phase so far: batches take turns between `tokens` and `decode`. */
  readonly elapsedMs: number;
}

/** One phase of a run, which may stop and go on. */
export class Phase {
  readonly #name: Progress['phase'];
  readonly #total: number;
  readonly #onProgress: ((progress: Progress) => void) | undefined;
  #spentMs = 0;
  #since: number | undefined;

  constructor(
    name: Progress['phase'],
    total: number,
    onProgress: ((progress: Progress) => void) | undefined,
  ) {
    this.#name = name;
    this.#total = total;
    this.#onProgress = onProgress;
  }

  /** Time spent in it. */
  get ms(): number {
    return this.#spentMs + (this.#since === undefined ? 0 : performance.now() - this.#since);
  }

  /** Begins it, or goes on with it. */
  begin(): void {
    this.#since = performance.now();
  }

  /** Says how much of it is done. */
  report(done: number): void {
    this.#onProgress?.({
      phase: this.#name,
      done,
      total: this.#total,
      elapsedMs: this.ms,
    });
  }

  /** Stops its clock. */
  end(): void {
    this.#spentMs = this.ms;
    this.#since = undefined;
  }
}
