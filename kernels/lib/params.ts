/** Checks of what kernels and bind groups are given: names first, then what each value may be. */
import { assert, type Identity, type Variant } from '../kernel.ts';
import { nearest } from './nearest.ts';

/** What a parameter may be; with `?` it may be left out. */
export type Rule = RuleName | `${RuleName}?`;

type RuleName =
  | 'size'
  | 'parts'
  | 'eps'
  | 'flag'
  | 'floatDtype'
  | 'tableDtype'
  | 'matrixDtype'
  | 'kernelSize'
  | 'stride'
  | 'norm'
  | 'reduce'
  | 'lanes'
  | 'invocations'
  | 'part'
  | 'variant'
  | 'record'
  | 'matrix'
  | 'tile'
  | 'any';

/** A rule for every parameter, so that none can be forgotten. */
export type Rules<P> = { readonly [K in keyof P]-?: Rule };

/**
 * To be called first by every kernel; returns what the kernel then says of itself.
 * @throws RangeError that names the first parameter that is unknown or not what it may be.
 */
export function assertParams<P extends object>(
  kernel: string,
  params: P,
  rules: Rules<P>,
): Identity {
  assertNames(kernel, 'parameter', params, Object.keys(rules));
  for (const [name, rule] of Object.entries<Rule>(rules)) {
    const value = (params as Readonly<Record<string, unknown>>)[name];
    const expected = unmet(rule, value);
    assert(!expected, `${kernel}: "${name}" expected ${expected}, got ${shown(value)}`);
  }
  return { name: kernel, params: Object.freeze({ ...params }) };
}

/** Throws a RangeError with the nearest known name unless `given` is an object of known names. */
export function assertNames(
  where: string,
  what: string,
  given: unknown,
  known: readonly string[],
): void {
  const takes = `${where} takes ${known.join(', ')}`;
  assert(isObject(given), `${where}: expected an object, got ${shown(given)}: ${takes}`);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, known);
  const hint = near ? `, did you mean "${near}"?` : ':';
  assert(false, `${where}: unknown ${what} "${unknown}"${hint} ${takes}`);
}

/** Throws a RangeError unless every setting of a tile, the parameter `name`, is one of `settings`. */
export function assertTile(
  kernel: string,
  tile: object | undefined,
  settings: readonly string[],
  name = 'tile',
): void {
  const isKnown = Object.keys(tile ?? {}).every((setting) => settings.includes(setting));
  assert(
    isKnown,
    `${kernel}: "${name}" expected some of ${settings.join(', ')}, got ${shown(tile)}`,
  );
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value as messages quote it: short, whatever it is. */
export function shown(value: unknown): string {
  if (typeof value !== 'string' && !isObject(value)) return String(value);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {}
  return text === undefined || text.length > 80 ? `a long ${typeof value}` : text;
}

/** What a value had to be, when it is not that. */
type Check = (value: unknown) => string | undefined;

const oneOf =
  (...values: readonly (string | number)[]): Check =>
  (value) =>
    values.some((v) => v === value) ? undefined : `one of ${values.join(', ')}`;

const positive =
  (most: number): Check =>
  (value) => {
    if (!Number.isInteger(value) || Number(value) <= 0) return 'a positive integer';
    return Number(value) <= most ? undefined : `an integer from 1 to ${most}`;
  };

const RULES: Readonly<Record<RuleName, Check>> = {
  /** Texts hold sizes, and sums of two of them, as u32. */
  size: positive(2 ** 31 - 1),
  /** What one expression adds up: compilers limit how deep it is. */
  parts: positive(256),
  /** What is added under a root; larger ones would be printed as what is no f32. */
  eps: (value) =>
    typeof value === 'number' && value >= 0 && value <= 1e9 ? undefined : 'a number from 0 to 1e9',
  flag: (value) => (typeof value === 'boolean' ? undefined : 'true or false'),
  floatDtype: oneOf('f32', 'f16'),
  tableDtype: oneOf('f32', 'f16', 'bf16'),
  matrixDtype: oneOf('f32', 'f16', 'bf16', 'int8', 'int4'),
  kernelSize: oneOf(1, 3),
  stride: oneOf(1, 2),
  norm: oneOf('plain', 'swish'),
  reduce: oneOf('serial', 'workgroup', 'subgroup'),
  /** Sizes that subgroups may have (WebGPU). */
  lanes: oneOf(4, 8, 16, 32, 64, 128),
  /** Workgroups of 64 are not asked to be smaller. */
  invocations: (value) =>
    Number.isInteger(value) && Number(value) >= 64 ? undefined : 'an integer from 64 up',
  /** Some of a row of things. Which there are depends on other parameters. */
  part: (value) =>
    isObject(value) && Object.keys(value).sort().join() === 'count,first'
      ? undefined
      : '{ first, count }',
  variant: unmetOfVariant,
  record: (value) => (isObject(value) ? undefined : 'an object'),
  matrix: (value) => (isObject(value) && 'texts' in value ? undefined : 'what matrixConfig makes'),
  /** Checked by the kernel. */
  any: () => undefined,
  /** How a kernel divides its work; `assertTile` knows its settings. */
  tile: (value) => (isObject(value) ? undefined : 'an object'),
};

export const VARIANT_RULES: Readonly<Record<keyof Variant, Rule>> = {
  reduce: 'reduce',
  f16: 'flag',
  lanes: 'lanes?',
  invocations: 'invocations?',
  workgroupBytes: 'size?',
  matrix: 'matrix?',
  halves: 'flag?',
};

function unmetOfVariant(value: unknown): string | undefined {
  const names = Object.keys(VARIANT_RULES);
  if (!isObject(value) || Object.keys(value).some((name) => !names.includes(name))) {
    return `{ ${names.join(', ')} }`;
  }
  for (const [name, rule] of Object.entries(VARIANT_RULES)) {
    const expected = unmet(rule, (value as Readonly<Record<string, unknown>>)[name]);
    if (expected) return `its "${name}" to be ${expected}`;
  }
  return undefined;
}

/** What a value had to be, when it is not that. */
export function unmet(rule: Rule, value: unknown): string | undefined {
  const name = rule.endsWith('?') ? rule.slice(0, -1) : rule;
  if (name !== rule && value === undefined) return undefined;
  return RULES[name as RuleName](value);
}
