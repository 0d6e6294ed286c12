/** Reads typed values of training arguments, which a script may have kept as text. */
import { WeightsError } from '../errors.ts';
import type { Scalar } from '../weights/checkpoint.ts';
import { brief, quote } from '../weights/quote.ts';
import type { Statement } from './agreement.ts';

/** Arguments, and where they were found. */
export interface ArgsSource {
  /** E.g. `args`, or the path of a `config.json`. */
  readonly where: string;
  readonly values: ReadonlyMap<string, Scalar>;
}

/** What texts stand for. */
const WORDS: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ['true', true],
  ['false', false],
  ['none', null],
  ['null', null],
]);

/** The arguments of one file. */
export class TrainingArgs {
  readonly #file: string;
  readonly #source: ArgsSource;

  /** @param file Names the checkpoint in messages. */
  constructor(file: string, source: ArgsSource) {
    this.#file = file;
    this.#source = source;
  }

  /** A whole number from 1; undefined when it is absent or None. */
  count(name: string): number | undefined {
    const value = this.number(name);
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) return value;
    return this.fail(name, 'a whole number from 1');
  }

  number(name: string): number | undefined {
    const value = this.#get(name);
    if (value === null || typeof value === 'number') return value ?? undefined;
    const number = typeof value === 'string' && value !== '' ? Number(value) : Number.NaN;
    return Number.isNaN(number) ? this.fail(name, 'a number') : number;
  }

  flag(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value === null || typeof value === 'boolean') return value ?? undefined;
    if (value === 0 || value === 1) return value === 1;
    return this.fail(name, 'true or false');
  }

  /** A value as it was written. */
  text(name: string): string | undefined {
    const value = this.#get(name);
    return value === null ? undefined : String(value);
  }

  /** What the arguments say, in words that name their place. */
  said<T>(value: T, names: readonly string[], meaning?: string): Statement<T> {
    const given = names.map((name) => `${name} ${brief(this.text(name) ?? 'None')}`).join(', ');
    const where = this.#source.where === 'args' ? '' : `${this.#source.where}: `;
    return { by: 'args', value, text: `${where}${given}${meaning ? `, so ${meaning}` : ''}` };
  }

  /** A number as a statement; undefined when it is absent. */
  saysCount(name: string): Statement<number> | undefined {
    const value = this.count(name);
    return value === undefined ? undefined : this.said(value, [name]);
  }

  #get(name: string): Scalar {
    const value = this.#source.values.get(name) ?? null;
    if (typeof value !== 'string') return value;
    const word = WORDS.get(value.trim().toLowerCase());
    return word === undefined ? value.trim() : word;
  }

  /** Throws the WeightsError for a value. */
  fail(name: string, expected: string): never {
    const got = quote(this.#source.values.get(name));
    throw new WeightsError(
      `${this.#file}: ${this.#source.where}: "${name}" expected ${expected}, got ${got} ` +
        '(--ignore args leaves it out)',
    );
  }
}
