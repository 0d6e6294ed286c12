/** Checks of what kernels and bind groups are given: names first, then what each value may be. */
import { assert, type Identity } from '../kernel.ts';
import { nearest } from './nearest.ts';
import { isObject, type Rule } from './rules.ts';

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
    const expected = rule(value);
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

/** A value as messages quote it: short, whatever it is. */
export function shown(value: unknown): string {
  if (typeof value !== 'string' && !isObject(value)) return String(value);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {}
  return text && text.length <= 80 ? text : `a long ${typeof value}`;
}
