/** Reads typed fields of untrusted JSON; every failure names field, value and expectation. */
import { WeightsError } from '../errors.ts';
import { quote } from '../weights/quote.ts';

/** One JSON object and what to call it in messages, e.g. `model.json: gpt`. */
export class Fields {
  readonly where: string;
  readonly #values: Readonly<Record<string, unknown>>;

  /** @throws WeightsError when `json` is not an object. */
  constructor(where: string, json: unknown) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new WeightsError(`${where}: expected an object, got ${quote(json)}`);
    }
    this.where = where;
    this.#values = json as Readonly<Record<string, unknown>>;
  }

  /** The raw value; undefined when absent. */
  get(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
  }

  /** A whole number from `min` to `max`. Absent and null give the fallback, if there is one. */
  integer(name: string, min: number, max: number, fallback?: number): number {
    const value = this.get(name) ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    return this.fail(name, `a whole number from ${min} to ${max}`, value);
  }

  /**
   * A number for which `accepts` holds and that a float of 32 bits can stand for, which is what kernels
   * compute with. Absent and null give the fallback, if there is one.
   */
  number(
    name: string,
    expected: string,
    accepts: (value: number) => boolean,
    fallback?: number,
  ): number {
    const value = this.get(name) ?? fallback;
    if (typeof value !== 'number' || Number.isNaN(value) || !accepts(value)) {
      return this.fail(name, expected, value);
    }
    if (fitsSingle(value)) return value;
    return this.fail(name, `${expected}, of a size that 32-bit floats have`, value);
  }

  /** A string that is not empty. */
  text(name: string): string {
    const value = this.get(name);
    if (typeof value === 'string' && value.trim() !== '') return value;
    return this.fail(name, 'a text', value);
  }

  /** Throws the WeightsError for a field. */
  fail(name: string, expected: string, value: unknown): never {
    const got = value === undefined ? 'nothing' : quote(value);
    throw new WeightsError(`${this.where}: "${name}" expected ${expected}, got ${got}`);
  }
}

/** Below it, devices take floats of 32 bits for 0. */
const LEAST_SINGLE = 2 ** -126;

/** Whether a number stays finite, and stays apart from 0, as a float of 32 bits. */
function fitsSingle(value: number): boolean {
  const single = Math.abs(Math.fround(value));
  return single < Number.POSITIVE_INFINITY && (single >= LEAST_SINGLE || value === 0);
}
