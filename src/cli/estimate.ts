/** How long a run will take, said before a long one. */
import type { Progress } from '../engine/progress.ts';
import { duration, type Report } from './report.ts';

/** A run that takes longer is worth a line. */
const LONG_MS = 10 * 60_000;
/** What the first steps took says little before this. */
const SETTLED_MS = 2000;

/** Follows the progress of a run and speaks once, as soon as the run is known to be long. */
export class Estimate {
  readonly #images: number;
  readonly #latest = new Map<string, Progress>();
  #said = false;

  /** @param images Number of them. */
  constructor(images: number) {
    this.#images = images;
  }

  /** @returns What to say now, if anything. */
  see(progress: Progress): string | undefined {
    this.#latest.set(progress.phase, progress);
    const [tokens, decode] = [this.#msOf('tokens'), this.#msOf('decode')];
    const ms = (tokens ?? 0) + (decode ?? 0);
    if (this.#said || ms < LONG_MS) return undefined;
    this.#said = true;
    const images = this.#images === 1 ? 'one image' : `${this.#images} images`;
    const what = decode === undefined ? `the tokens of ${images}, decoding not counted` : images;
    return `this takes about ${duration(ms / 1000)} for ${what}`;
  }

  /** Of a whole phase, from the part of it that is done. */
  #msOf(phase: Progress['phase']): number | undefined {
    const latest = this.#latest.get(phase);
    if (!latest || latest.done === 0) return undefined;
    const { done, total, elapsedMs } = latest;
    // One picture is measured as well as it can be, the first steps are not.
    if (phase === 'tokens' && elapsedMs < SETTLED_MS) return undefined;
    return (elapsedMs / done) * total;
  }
}

/** Reports the progress of a run, and how long it will take if that is long. */
export function follower(report: Report, images: number): (progress: Progress) => void {
  const estimate = new Estimate(images);
  return (progress) => {
    const line = estimate.see(progress);
    if (line !== undefined) report.note(line);
    report.progress(progress);
  };
}
