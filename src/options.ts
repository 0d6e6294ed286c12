/** Checks of what callers in JavaScript pass, whom no compiler tells that an option has another name or type. */
import { nearest } from '../kernels/lib/nearest.ts';
import { OptionError } from './errors.ts';

/** What a value was expected to be; undefined when it is that. */
export type Check = (value: unknown) => string | undefined;

/** A check for every option of a type, so that none can be forgotten. */
export type Checks<T> = { readonly [K in keyof T]-?: Check };

const check =
  (expected: string, holds: (value: unknown) => boolean): Check =>
  (value) =>
    holds(value) ? undefined : expected;

export const integer = (least: number, most: number = Number.MAX_SAFE_INTEGER): Check =>
  check(
    `an integer from ${least} to ${most}`,
    (v) => Number.isInteger(v) && Number(v) >= least && Number(v) <= most,
  );
export const number = (least: number, most: number): Check =>
  check(
    `a number from ${least} to ${most}`,
    (v) => typeof v === 'number' && v >= least && v <= most,
  );
export const oneOf = (allowed: readonly unknown[]): Check =>
  check(allowed.join(', '), (v) => allowed.includes(v));
/** An array whose items are right, of any length unless it is given. */
export const listOf = (what: string, item: Check, length?: number): Check =>
  check(
    `an array of ${what}`,
    (v) =>
      Array.isArray(v) &&
      (length === undefined || v.length === length) &&
      Array.from(v).every((i) => item(i) === undefined),
  );
/** Numbers in an array of any kind. */
export const numbers: Check = check(
  'an array of numbers',
  (v) => Array.isArray(v) || (ArrayBuffer.isView(v) && 'length' in v),
);
/** 8-bit values; by its tag, since pages have typed arrays of other frames too. */
export const bytes: Check = check('a Uint8ClampedArray', (v) =>
  ['[object Uint8ClampedArray]', '[object Uint8Array]'].includes(Object.prototype.toString.call(v)),
);
export const flag: Check = check('true or false', (v) => typeof v === 'boolean');
export const callback: Check = check('a function', (v) => typeof v === 'function');
/** An object with these methods. */
export const having = (expected: string, ...methods: readonly string[]): Check =>
  check(expected, (v) => isObject(v) && methods.every((m) => typeof v[m] === 'function'));
export const abortSignal: Check = having('an AbortSignal', 'throwIfAborted', 'addEventListener');
export const profiler: Check = having('a profiler of openProfiler', 'begin', 'run');

/** @throws OptionError that names an option which is unknown, and those with a near name, or of another type. */
export function checkOptions(
  where: string,
  given: unknown,
  checks: Readonly<Record<string, Check>>,
): void {
  if (!isObject(given) || Array.isArray(given)) {
    throw new OptionError(`${where}: expected an object of options, got ${show(given)}`);
  }
  for (const [name, value] of Object.entries(given)) {
    // What is left out may be there as undefined.
    if (value === undefined) continue;
    if (!Object.hasOwn(checks, name)) throw unknownOption(where, name, Object.keys(checks));
    const expected = checks[name]?.(value);
    if (expected !== undefined) throw wrong(name, expected, value);
  }
}

/** Checks an argument or a required option by itself. */
export function checkValue(name: string, value: unknown, is: Check): void {
  const expected = is(value);
  if (expected !== undefined) throw wrong(name, expected, value);
}

function wrong(name: string, expected: string, value: unknown): OptionError {
  return new OptionError(`"${name}" expected ${expected}, got ${show(value)}`);
}

function unknownOption(where: string, name: string, known: readonly string[]): OptionError {
  const near = nearest(name, known);
  return new OptionError(
    near === undefined
      ? `${where}: there is no option "${name}", but ${known.join(', ')}`
      : `${where}: there is no option "${name}": did you mean "${near}"?`,
  );
}

const MAX_SHOWN_CHARS = 60;
const MAX_SHOWN_ITEMS = 4;

/** A value for a message: short, and never the contents of an object. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    const text = value.length > MAX_SHOWN_CHARS ? `${value.slice(0, MAX_SHOWN_CHARS)}...` : value;
    return JSON.stringify(text);
  }
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) {
    const isShort = value.length <= MAX_SHOWN_ITEMS && !value.some(isObject);
    return isShort ? `[${value.map(show).join(', ')}]` : `an array of ${value.length}`;
  }
  if (!isObject(value)) return String(value);
  const kind = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof kind === 'string' && kind !== '' && kind !== 'Object' ? kind : 'an object';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
