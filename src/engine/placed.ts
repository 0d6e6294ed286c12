/** A sequence in its slots, and how far it is, as far as the host can know without waiting. */
import type { Sampling } from '../../kernels/sampler/sequence-table.ts';
import { tokensAPass } from './window-rates.ts';

export interface Place {
  /** Its slot, and its line of tokens. */
  readonly slot: number;
  /** The slot of its rows without condition, where it is guided. */
  readonly uncondSlot: number | undefined;
  /** Where its condition begins: its class, or the line of its caption. */
  readonly condition: number;
  /** `given` tokens are in its line already. */
  readonly sampling: Sampling;
  /** Most positions that it takes in a pass; as many as pay where it is `auto`. */
  readonly window: number | 'auto';
}

/** How far a sequence may be when what is submitted is done, in tokens. */
export interface Bounds {
  readonly least: number;
  readonly most: number;
  readonly expected: number;
  /** Tokens that the passes so far were expected to draw. */
  readonly predicted: number;
  /** Positions of the passes so far. */
  readonly positions: number;
  readonly passes: number;
}

/** Tokens that count as much as what is seen, when expectations meet what is seen. */
const PRIOR_TOKENS = 8;

export class Placed implements Place {
  readonly slot: number;
  readonly uncondSlot: number | undefined;
  readonly condition: number;
  readonly sampling: Sampling;
  readonly window: number | 'auto';
  /** Steps that a profiler has looked into, or that are behind it. */
  profiled = 0;
  #at: Bounds = {
    ...{ least: 0, most: 0, expected: 0, predicted: 0, positions: 0, passes: 0 },
  };
  /** Tokens that were seen to be drawn, over those that were expected. */
  #ratio = 1;
  #seen = 0;
  #counted: number;

  constructor({ slot, uncondSlot, condition, sampling, window }: Place) {
    this.slot = slot;
    this.uncondSlot = uncondSlot;
    this.condition = condition;
    this.sampling = sampling;
    this.window = window;
    this.#counted = sampling.given;
  }

  /** When all that is submitted is done. */
  get at(): Bounds {
    return this.#at;
  }

  /** Tokens that are known to be there, as far as was looked or is sure. */
  get seen(): number {
    return this.isExact ? this.#at.least : this.#seen;
  }

  /** Whether it is known how far it is then. */
  get isExact(): boolean {
    return this.#at.least === this.#at.most;
  }

  get rowsAPosition(): number {
    return this.uncondSlot === undefined ? 1 : 2;
  }

  /** Positions that are sure to be right: those of given tokens, and the one that draws next. */
  get positionsLeft(): number {
    return Math.max(0, this.sampling.given - this.#at.least) + 1;
  }

  /** Tokens that a pass is expected to draw with so many positions. */
  rate(count: number): number {
    return count === 1 ? 1 : Math.max(1, Math.min(count, tokensAPass(count) * this.#ratio));
  }

  /** Notes passes of `count` positions. */
  submit(count: number, passes: number): Bounds {
    this.#seen = this.seen;
    let { least, most, expected, predicted } = this.#at;
    for (let pass = 0; pass < passes; pass++) {
      const sure = Math.min(count, Math.max(0, this.sampling.given - least) + 1);
      const isSure = sure === count;
      least += sure;
      most += count;
      expected += isSure ? count : this.rate(count);
      predicted += isSure ? count : tokensAPass(count);
    }
    const positions = this.#at.positions + count * passes;
    const all = this.#at.passes + passes;
    return this.#become({ least, most, expected, predicted, positions, passes: all });
  }

  /** Tokens that were drawn since it was last counted, when so many are known. */
  count(known: number): number {
    const more = Math.max(0, known - this.#counted);
    this.#counted += more;
    return more;
  }

  /** Takes in how many tokens were known at a moment. */
  see(known: number, then: Bounds): void {
    const { least, most, passes, positions, predicted } = this.#at;
    this.#seen = known;
    this.#ratio = (known + PRIOR_TOKENS) / (then.predicted + PRIOR_TOKENS);
    this.#become({
      // Of the passes since: what was thought of those before is over.
      least: Math.max(least, known + passes - then.passes),
      most: Math.min(most, known + positions - then.positions),
      expected: known + this.#ratio * (predicted - then.predicted),
      ...{ predicted, positions, passes },
    });
  }

  #become(at: Bounds): Bounds {
    const expected = Math.min(Math.max(at.expected, at.least), at.most);
    this.#at = { ...at, expected };
    return this.#at;
  }
}
