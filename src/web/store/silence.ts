/** Ends a request whose server says nothing for too long. */
import { TransientError } from '../../hub/transient.ts';

/** Longest silence where nobody asks for another. */
export const SILENCE_MS = 30_000;

/** What a request is bounded by. */
export interface SilenceOptions {
  readonly signal?: AbortSignal | undefined;
  readonly silenceMs: number;
}

export class Silence {
  /** Aborted by the caller's signal, or when the silence is too long. */
  readonly signal: AbortSignal;
  readonly #stop = new AbortController();
  readonly #ms: number;
  readonly #host: string;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins at once. */
  constructor({ signal, silenceMs }: SilenceOptions, url: string) {
    const own = this.#stop.signal;
    this.signal = signal ? AbortSignal.any([signal, own]) : own;
    this.#ms = silenceMs;
    this.#host = new URL(url).host;
    this.begin();
  }

  /** Why it ended the request; undefined while it did not. Browsers reject bodies with errors of their own. */
  get tooLong(): TransientError | undefined {
    const { reason } = this.#stop.signal;
    return reason instanceof TransientError ? reason : undefined;
  }

  /** Something is waited for from now on. */
  begin(): void {
    this.end();
    this.#timer = setTimeout(() => {
      const seconds = this.#ms / 1000;
      this.stop(new TransientError('network', `${this.#host}: nothing came for ${seconds} s`));
    }, this.#ms);
  }

  /** Nothing is waited for. */
  end(): void {
    clearTimeout(this.#timer);
  }

  /** Ends the request. */
  stop(reason?: Error): void {
    this.end();
    this.#stop.abort(reason);
  }
}
