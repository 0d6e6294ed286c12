/** Parameters of kernels as words: `rows=2 dtype=f16 variant=subgroup,lanes=32 tile.span=8`. */
import type { Reduce, Variant } from '../../kernels/kernel.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';

type Word = number | string | boolean;

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** Leaves of an object, with the names of those above them and dots between. */
function leaves(object: object, prefix = ''): (readonly [name: string, value: Word])[] {
  return Object.entries(object).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return isObject(value) ? leaves(value, `${prefix}${name}.`) : [[`${prefix}${name}`, value]];
  });
}

const wordsOf = (object: object): string[] => leaves(object).map((pair) => pair.join('='));

/** `serial`, `workgroup f16`, ... as one word; what is false is left out. */
export function variantWord({ reduce, f16, ...others }: Variant): string {
  return [reduce, ...(f16 ? ['f16'] : []), ...wordsOf(others)].join(',');
}

/** Parameters as `npm run kernel` takes them. */
export function paramWords(params: object): string[] {
  return Object.entries(params).flatMap(([name, value]) =>
    name === 'variant' && isObject(value)
      ? [`variant=${variantWord(value as Variant)}`]
      : wordsOf({ [name]: value }),
  );
}

/** The title of a test: what `npm run kernel` takes to show its kernel. */
export const titleOf = (name: string, params: object): string =>
  [name, ...paramWords(params)].join(' ');

/**
 * Reads words, and puts them in the place of parameters there are.
 * @param base What is not among the words.
 * @throws RangeError for a word that is none.
 */
export function readParams(words: readonly string[], base: object): object {
  let params: object = base;
  for (const word of words) {
    const [, name = '', text = ''] = /^([A-Za-z][\w.]*)=(.*)$/s.exec(word) ?? [];
    if (name === '') throw new RangeError(`"${word}" expected name=value, such as rows=2`);
    const value =
      name === 'variant' && !text.startsWith('{') ? readVariant(text) : readValue(word, text);
    params = put(params, name.split('.'), value);
  }
  return params;
}

/** A copy with a value at a place within. */
function put(object: object, [name = '', ...rest]: readonly string[], value: unknown): object {
  const inner: unknown = (object as Readonly<Record<string, unknown>>)[name];
  const next = rest.length === 0 ? value : put(isObject(inner) ? inner : {}, rest, value);
  return { ...object, [name]: next };
}

/** A number, true, false, JSON, or else the text itself; `none` is as if it were not given. */
function readValue(word: string, text: string): unknown {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'none') return undefined;
  if (text !== '' && Number.isFinite(Number(text))) return Number(text);
  if (!/^[[{]/.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    throw new RangeError(`"${word}" expected JSON after the equals sign`);
  }
}

/** Kernels check what they are given: a word that names no way to sum is refused there. */
function readVariant(text: string): object {
  const [reduce, ...others] = text.split(',');
  const words = others.map((word) => (word.includes('=') ? word : `${word}=true`));
  const variant = readParams(words, { reduce: reduce as Reduce, f16: false }) as Variant;
  return variant.matrix ? { ...variant, matrix: matrixConfig(variant.matrix) } : variant;
}
