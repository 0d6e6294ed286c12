/** Captions on their way into the slots of requests, a pass at a time. */
import type { Network } from '../load/network.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import type { Captioned } from './plan-prefill.ts';
import { Prefill, type PrefillPass } from './prefill.ts';
import type { CaptionedJob } from './running.ts';
import type { Slots } from './slots.ts';

export class CaptionFill {
  readonly #prefill: Prefill;
  #waiting: CaptionedJob[] = [];
  /** Those that share passes now. */
  #group: CaptionedJob[] = [];
  #passes: AsyncGenerator<PrefillPass, void> | undefined;

  constructor(network: Network<GptConfig>, slots: Slots) {
    this.#prefill = new Prefill(network, slots);
  }

  /** Builds what captions wait for otherwise. */
  prepare(all: readonly Pick<Captioned, 'uncondSlot' | 'caption'>[]): Promise<void> {
    return this.#prefill.prepare(all);
  }

  /** Whether there may be passes to come. */
  get isActive(): boolean {
    return this.#group.length > 0 || this.#waiting.length > 0;
  }

  /** Captions share passes with those that are added before they begin. */
  add(captioned: readonly CaptionedJob[]): void {
    this.#waiting.push(...captioned);
  }

  /**
   * The next pass; undefined when all captions are in their slots.
   * @param onFilled Takes those whose captions are, behind the passes that were given.
   */
  async next(onFilled: (one: CaptionedJob) => void): Promise<PrefillPass | undefined> {
    while (this.isActive) {
      this.#passes ??= this.#begin();
      const next = await this.#passes.next();
      if (!next.done) return next.value;
      this.#passes = undefined;
      for (const one of this.#group.splice(0)) onFilled(one);
    }
    return undefined;
  }

  /** Forgets all, as after a failure. */
  drop(): void {
    this.#waiting = [];
    this.#group = [];
    this.#passes = undefined;
  }

  destroy(): void {
    this.#prefill.destroy();
  }

  #begin(): AsyncGenerator<PrefillPass, void> {
    this.#group = this.#waiting.splice(0);
    return this.#prefill.passes(this.#group, ({ job }) => job.isGone);
  }
}
