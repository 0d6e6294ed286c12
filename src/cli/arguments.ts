/** Values on the command line: what they may be, and what is said when they are not. */
import { InvalidArgumentError } from 'commander';
import { type ClassAliases, findClass, resolveClass } from '../catalogue/classes.ts';
import { imagenetAliases } from '../catalogue/imagenet-classes.ts';
import { OptionError } from '../errors.ts';

/** Most images per class in one run. */
export const MAX_COUNT = 4096;
/** Images side by side, as many as the library takes. */
export const MAX_BATCH = 1024;

/** Stands for every class. */
const ALL = 'all';

/** New seeds are drawn below this, so that they are easy to type again. */
const RANDOM_SEEDS = 2 ** 31;

/** A parser of whole numbers from `least` to `most`, for commander. */
export function integer(
  least: number,
  most: number,
  what = 'a whole number',
): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const upTo = most === Number.MAX_SAFE_INTEGER ? 'up to 2^53-1' : `to ${most}`;
    throw new InvalidArgumentError(`Expected ${what} from ${least} ${upTo}.`);
  };
}

/** A parser of `auto` or a whole number, for commander. */
export function integerOrAuto(least: number, most: number): (text: string) => number | 'auto' {
  const number = integer(least, most, 'auto or a whole number');
  return (text) => (text === 'auto' ? text : number(text));
}

/** A parser of whole numbers with commas between, for commander. */
export function integers(least: number, most: number): (text: string) => number[] {
  const one = integer(least, most);
  return (text) => [...new Set(text.split(',').map(one))];
}

/** A parser of some of the known words with commas between, for commander. */
export function words<T extends string>(known: readonly T[]): (text: string) => T[] {
  return (text) =>
    text.split(',').map((each) => {
      const word = known.find((candidate) => candidate === each.trim());
      if (word !== undefined) return word;
      throw new InvalidArgumentError(`Expected ${known.join(', ')} with commas between.`);
    });
}

/** Reads a finite number, for commander. */
export function decimal(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError('Expected a number.');
}

/** A parser of numbers from `least` to `most`, for commander. */
export function decimalFrom(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = decimal(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Expected a number from ${least} to ${most}.`);
  };
}

/** Takes any path but an empty one, for commander. */
export function path(text: string): string {
  if (text.trim() !== '') return text;
  throw new InvalidArgumentError('Expected a path, got nothing.');
}

/** Gathers the values of an option that may be given more than once. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/**
 * The classes of `--class` values in their order. A value is a whole name or index, else a list of
 * them with commas between; "all", in any case, stands for every class, unless one has that name. Classes of
 * ImageNet are known by synonyms and WordNet ids too.
 * @throws OptionError for an unknown class, with near names.
 */
export function parseClasses(classNames: readonly string[], values: readonly string[]): number[] {
  const aliases = imagenetAliases(classNames);
  return values.flatMap((value) => {
    const whole = findClass(classNames, value, aliases);
    if (whole !== undefined) return [whole];
    if (value.trim().toLowerCase() === ALL) return classNames.map((_, label) => label);
    return value.split(',').map((name) => parseClass(classNames, name, aliases));
  });
}

function parseClass(
  classNames: readonly string[],
  name: string,
  aliases: readonly ClassAliases[],
): number {
  if (name.trim() === '') {
    throw new OptionError(
      '--class: expected names or indices with commas between, got an empty one',
    );
  }
  return resolveClass(classNames, name, aliases);
}

/** Each class or prompt `count` times, one after another. */
export function repeatEach<T>(subjects: readonly T[], count: number): T[] {
  return subjects.flatMap((subject) => Array<T>(count).fill(subject));
}

/** A seed for a run that was given none. */
export function randomSeed(): number {
  return Math.floor(Math.random() * RANDOM_SEEDS);
}
