/** What a run of the mutants prints: a line and a diff for each survivor, and the counts. */
import { listing } from './equivalent.ts';
import { type Fault, nameOf } from './faults.ts';
import type { Judgement } from './judge.ts';

/** Of the faults that were judged, the most that may be listed as changing nothing. */
const LISTED_SHARE = 0.05;

const NOTICED = new Set<Judgement['verdict']>(['killed', 'hung', 'crashed']);
/** Faults that nothing can be said of: they are not counted. */
const NO_FAULT = new Set<Judgement['verdict']>(['invalid', 'absent']);

export const isNoticed = ({ verdict }: Judgement): boolean => NOTICED.has(verdict);
export const isCounted = ({ verdict }: Judgement): boolean => !NO_FAULT.has(verdict);

export class Report {
  readonly #counts = new Map<string, number>();
  #failed = 0;
  #generated = 0;
  #listed = 0;
  readonly #print: (line: string) => void;

  readonly #isVerbose: boolean;

  constructor(print: (line: string) => void, isVerbose: boolean) {
    this.#print = print;
    this.#isVerbose = isVerbose;
  }

  /** A generated fault and what became of it since `started`, as `performance.now()` gives it. */
  generated(fault: Fault, judgement: Judgement, started: number): void {
    this.#tell(nameOf(fault), judgement, started);
    const listed = listing(fault);
    const survives = isCounted(judgement) && !isNoticed(judgement);
    const isListed = listed !== undefined && judgement.verdict === 'survived';
    this.#count(isListed ? 'listed' : judgement.verdict);
    if (isCounted(judgement)) this.#generated++;
    if (isListed) this.#listed++;
    if (!survives || isListed) return;
    this.#failed++;
    const { verdict, diff, why } = judgement;
    const entry = `${fault.kernel} ${fault.operator}: ${fault.change}`;
    this.#print(`${verdict.toUpperCase()} ${nameOf(fault)} (${why})\n${diff}\n  ${entry}`);
  }

  /** A written fault: one that is nowhere, or does not compile, is a fault of the list. */
  written(name: string, judgement: Judgement, started: number): void {
    this.#tell(name, judgement, started);
    this.#count(judgement.verdict);
    if (isNoticed(judgement)) return;
    this.#failed++;
    this.#print(
      `${judgement.verdict.toUpperCase()} ${name} (${judgement.why})\n  ${judgement.diff}`,
    );
  }

  #tell(name: string, { verdict, why }: Judgement, started: number): void {
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (this.#isVerbose) this.#print(`${verdict} ${name} (${seconds} s; ${why.slice(0, 120)})`);
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** Prints the counts. @returns Whether the run passes. */
  end(): boolean {
    const counts = [...this.#counts].map(([what, n]) => `${n} ${what}`).join(', ');
    this.#print(`${counts}; ${this.#generated} generated ones count`);
    const most = Math.floor(LISTED_SHARE * this.#generated);
    if (this.#listed <= most) return this.#failed === 0;
    this.#print(`${this.#listed} are listed as changing nothing, at most ${most} may be`);
    return false;
  }
}
