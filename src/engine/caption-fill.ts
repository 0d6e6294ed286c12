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
  #passes: ReturnType<Prefill['passes']> | undefined;
  /** Until a program is there that they need, or cannot be. */
  #building: Promise<void> | undefined;

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
   * The next pass, a promise while a program for it is built, undefined when all captions are in their slots.
   * @param onFilled Takes those whose captions are, behind the passes that were given.
   */
  next(onFilled: (one: CaptionedJob) => void): PrefillPass | Promise<void> | undefined {
    while (!this.#building && this.isActive) {
      this.#passes ??= this.#begin();
      const { done, value } = this.#passes.next();
      if (done) {
        this.#passes = undefined;
        for (const one of this.#group.splice(0)) onFilled(one);
      } else if (value instanceof Promise) this.#building = this.#built(value);
      else return value;
    }
    return this.#building;
  }

  /** Forgets all, as after a failure. */
  drop(): void {
    this.#waiting = [];
    this.#group = [];
    this.#passes = undefined;
    this.#building = undefined;
  }

  destroy(): void {
    this.#prefill.destroy();
  }

  /** Waits for a program; where it cannot be, those that need it fail, and nobody else. */
  async #built(program: Promise<unknown>): Promise<void> {
    const group = this.#group;
    let failed = false;
    try {
      await program;
    } catch (error) {
      failed = true;
      for (const { job } of group.splice(0)) job.fail(error);
    }
    if (this.#group !== group) return; // all was forgotten meanwhile
    this.#building = undefined;
    if (failed) this.#passes = undefined;
  }

  #begin(): ReturnType<Prefill['passes']> {
    this.#group = this.#waiting.splice(0);
    return this.#prefill.passes(this.#group, ({ job }) => job.isGone);
  }
}
