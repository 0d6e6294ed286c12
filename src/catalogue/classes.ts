/** Class names as people type them. */
import { OptionError } from '../errors.ts';
import { nearNames, normalName } from '../near-names.ts';
import { quote } from '../weights/quote.ts';

/** What a class is called beside its name. Some synonyms belong to more than one class. */
export interface ClassAliases {
  /** A name in a catalogue, such as `n02099601`. */
  readonly id: string;
  readonly synonyms: readonly string[];
}

/**
 * The index of a class given by its name (upper or lower case) or its index.
 * @param aliases For each class what else it may be called: a synonym, all of them with commas
 * between, or its id. `imagenetAliases` has those of ImageNet. Default: nothing.
 * @throws OptionError with near names when there is no such class, or several have the name.
 */
export function resolveClass(
  classNames: readonly string[],
  nameOrIndex: string,
  aliases: readonly ClassAliases[] = [],
): number {
  const index = findClass(classNames, nameOrIndex, aliases);
  if (index !== undefined) return index;
  const synonyms = aliases.flatMap((alias) => alias.synonyms);
  const near = nearNames([...classNames, ...synonyms], nameOrIndex);
  throw new OptionError(
    near.length > 0
      ? `unknown class "${nameOrIndex}": did you mean ${quoted(near)}?`
      : `unknown class "${nameOrIndex}": ${range(classNames)}, such as ${quoted(classNames.slice(0, 3))}`,
  );
}

/**
 * Like `resolveClass`, but undefined when there is no such class.
 * @throws OptionError for an index out of range or a name that several classes have.
 */
export function findClass(
  classNames: readonly string[],
  nameOrIndex: string,
  aliases: readonly ClassAliases[] = [],
): number | undefined {
  const wanted = normalName(nameOrIndex);
  const named = indices(classNames, (name) => normalName(name) === wanted);
  // A class's own name comes before the synonyms of others.
  const found = named.length > 0 ? named : findAlias(aliases, wanted);
  if (found.length > 1) {
    const which = found.map((i) => `${i}${named.length > 0 ? '' : ` (${classNames[i]})`}`);
    throw new OptionError(
      `class "${nameOrIndex}" is the name of ${found.length} classes: give one of the indices ${which.join(', ')}`,
    );
  }
  if (found.length === 1) return found[0];
  if (!/^-?\d+$/.test(wanted)) return undefined;
  const index = Number(wanted);
  if (index >= 0 && index < classNames.length) return index;
  throw new OptionError(`no class ${wanted}: ${range(classNames)}`);
}

function findAlias(aliases: readonly ClassAliases[], wanted: string): number[] {
  return indices(
    aliases,
    ({ id, synonyms }) =>
      [id, ...synonyms].some((name) => normalName(name) === wanted) ||
      normalName(synonyms.join(', ')) === wanted,
  );
}

/** Where `holds` holds. */
function indices<T>(list: readonly T[], holds: (item: T) => boolean): number[] {
  return list.flatMap((item, i) => (holds(item) ? [i] : []));
}

function range(classNames: readonly string[]): string {
  return `this model has ${classNames.length} classes (0 to ${classNames.length - 1})`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => quote(name)).join(', ');
}
