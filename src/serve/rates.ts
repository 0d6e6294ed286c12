/** What engines did over the last ten seconds, or since they were last asked, whichever is longer. */
import type { BackendLoad } from './load.ts';

export interface Rates {
  readonly passesPerSecond: number;
  readonly tokensPerSecond: number;
  /** How many tokens a pass drew; 0 without passes. */
  readonly tokensPerPass: number;
  /** Share of the rows of passes that belonged to a request; 0 without passes. */
  readonly fullRows: number;
}

type Counted = Pick<BackendLoad, 'passes' | 'tokens' | 'rowsComputed' | 'rowsFull'>;

interface Sample extends Counted {
  readonly at: number;
}

const WINDOW_MS = 10_000;
/** Samples are no closer than that, so that whoever asks often does not fill memory. */
const STEP_MS = 500;

/** Rates between now and the oldest sample of a window; samples are taken when rates are asked for. */
export class RateWindow {
  readonly #load: () => Counted;
  readonly #now: () => number;
  #samples: Sample[] = [];

  constructor(load: () => Counted, now: () => number) {
    this.#load = load;
    this.#now = now;
    this.#take();
  }

  rates(): Rates {
    const last = this.#take();
    const first = this.#samples[0] ?? last;
    const seconds = (last.at - first.at) / 1000;
    const [passes, rows] = [last.passes - first.passes, last.rowsComputed - first.rowsComputed];
    const tokens = last.tokens - first.tokens;
    return {
      passesPerSecond: ratio(passes, seconds),
      tokensPerSecond: ratio(tokens, seconds),
      tokensPerPass: ratio(tokens, passes),
      fullRows: ratio(last.rowsFull - first.rowsFull, rows),
    };
  }

  #take(): Sample {
    const { passes, tokens, rowsComputed, rowsFull } = this.#load();
    const sample = { at: this.#now(), passes, tokens, rowsComputed, rowsFull };
    // A worker that went away takes what it counted along.
    const isLess = (before: Sample): boolean => before.passes > passes || before.tokens > tokens;
    const isRecent = ({ at }: Sample): boolean => sample.at - at <= WINDOW_MS;
    const old = this.#samples.filter((s) => !isRecent(s)).slice(-1);
    this.#samples = [...old, ...this.#samples.filter(isRecent)].filter((s) => !isLess(s));
    const latest = this.#samples.at(-1);
    if (!latest || sample.at - latest.at >= STEP_MS) this.#samples.push(sample);
    return sample;
  }
}

const ratio = (amount: number, of: number): number => (of > 0 ? amount / of : 0);
