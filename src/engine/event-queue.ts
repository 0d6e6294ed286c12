/** Values that come when they come, to be taken one by one. */
export class EventQueue<T> implements AsyncIterableIterator<T> {
  readonly #values: T[] = [];
  readonly #onReturn: () => void;
  #waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: unknown) => void }[] =
    [];
  #end: { readonly error?: { readonly value: unknown } } | undefined;

  /** @param onReturn Called when nobody will take any more. */
  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /**
   * Adds a value.
   * @param replaces Whether it makes the newest value that nobody has taken yet superfluous.
   */
  push(value: T, replaces: (latest: T) => boolean = () => false): void {
    if (this.#end) return;
    const taker = this.#waiting.shift();
    if (taker) {
      taker.resolve({ done: false, value });
      return;
    }
    const latest = this.#values.at(-1);
    if (latest !== undefined && replaces(latest)) this.#values.pop();
    this.#values.push(value);
  }

  /** Nothing comes any more. */
  end(): void {
    this.#close({});
  }

  /** Whoever asks when all values are taken gets the error. */
  fail(error: unknown): void {
    this.#close({ error: { value: error } });
  }

  next(): Promise<IteratorResult<T>> {
    const value = this.#values.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (!this.#end) {
      return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    }
    const { error } = this.#end;
    // Told once, as a generator does.
    this.#end = {};
    return error ? Promise.reject(error.value) : Promise.resolve({ done: true, value: undefined });
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0;
    this.#onReturn();
    this.#close({});
    this.#end = {};
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #close(end: { readonly error?: { readonly value: unknown } }): void {
    if (this.#end) return;
    this.#end = end;
    const waiting = this.#waiting;
    this.#waiting = [];
    const [first, ...others] = waiting;
    if (first) {
      if (end.error) first.reject(end.error.value);
      else first.resolve({ done: true, value: undefined });
      this.#end = {};
    }
    for (const { resolve } of others) resolve({ done: true, value: undefined });
  }
}
