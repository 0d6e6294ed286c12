/** Where a job is: before its slots, in them, or behind them. */
import type { LastingEvent } from '../engine/lasting-types.ts';
import type { BackendLoad } from './load.ts';

/** Numbers of a load that jobs make up. */
export type StageCounts = {
  -readonly [K in 'waiting' | 'running' | 'slotsInUse' | 'tokens']: BackendLoad[K];
};

/** Counts one job. */
export class Stage {
  readonly #slots: number;
  readonly #counts: StageCounts;
  #at: 'waiting' | 'drawing' | 'decoding' | 'gone' = 'waiting';
  #tokens = 0;

  /** @param slots That it takes. */
  constructor(slots: number, counts: StageCounts) {
    this.#slots = slots;
    this.#counts = counts;
    counts.waiting++;
  }

  follow(event: LastingEvent): void {
    const counts = this.#counts;
    if (event.type === 'started') {
      counts.waiting--;
      counts.running++;
      counts.slotsInUse += this.#slots;
      this.#at = 'drawing';
    }
    if (event.type !== 'tokens') return;
    counts.tokens += event.done - this.#tokens;
    this.#tokens = event.done;
    if (event.done < event.total || this.#at !== 'drawing') return;
    counts.slotsInUse -= this.#slots;
    this.#at = 'decoding';
  }

  leave(): void {
    const counts = this.#counts;
    if (this.#at === 'waiting') counts.waiting--;
    if (this.#at === 'drawing') counts.slotsInUse -= this.#slots;
    if (this.#at === 'drawing' || this.#at === 'decoding') counts.running--;
    this.#at = 'gone';
  }
}
