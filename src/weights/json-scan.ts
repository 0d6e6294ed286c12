/** Finds what JSON.parse hides: keys that occur twice, and how numbers are written. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** What a text is like. */
export interface JsonFacts {
  /** The first key that occurs twice in one object. */
  readonly twice: string | undefined;
  /** Objects and lists inside each other. */
  readonly depth: number;
}

/** An object or a list that is open. */
interface Container {
  /** The key it lies under; empty for the outermost and inside lists. */
  readonly key: string;
  /** Keys of an object so far. */
  readonly keys: Set<string> | undefined;
}

/**
 * Walks over a text once, without recursion.
 * @param json Text that JSON.parse has accepted.
 * @param onNumber Called for each number that is not written in digits alone, with the keys of the
 * objects and lists around it, outermost first.
 */
export function scanJson(
  json: string,
  onNumber?: (literal: string, keys: readonly string[]) => void,
): JsonFacts {
  const open: Container[] = [];
  let [key, depth] = ['', 0];
  let twice: string | undefined;
  // Strings are scanned by hand: a regular expression overflows its stack on very long ones.
  for (let i = 0; i < json.length; i++) {
    const char = json[i] as string;
    if (char === '{' || char === '[') {
      open.push({ key, keys: char === '{' ? new Set() : undefined });
      depth = Math.max(depth, open.length);
      key = '';
    } else if (char === '}' || char === ']') open.pop();
    else if (char === ',') key = '';
    else if (char === '"') {
      const end = endOfString(json, i + 1);
      const keys = open.at(-1)?.keys;
      if (keys && isKey(json, end + 1)) {
        key = JSON.parse(json.slice(i, end + 1)) as string;
        if (keys.has(key)) twice ??= key;
        keys.add(key);
      }
      i = end;
    } else if (char === '-' || isDigit(char)) {
      const end = endOfNumber(json, i);
      const literal = json.slice(i, end);
      if (onNumber && !/^\d+$/.test(literal)) {
        const keys = open.map((container) => container.key);
        onNumber(literal, keys);
      }
      i = end - 1;
    }
  }
  return { twice, depth };
}

/** Index of the closing quote. */
function endOfString(json: string, start: number): number {
  let i = start;
  for (; i < json.length && json.charCodeAt(i) !== QUOTE; i++) {
    if (json.charCodeAt(i) === BACKSLASH) i++;
  }
  return i;
}

/** Whether the string that ends before `i` is followed by a colon. */
function isKey(json: string, start: number): boolean {
  let i = start;
  while (' \t\r\n'.includes(json[i] ?? ':')) i++;
  return json[i] === ':';
}

const isDigit = (char: string): boolean => char >= '0' && char <= '9';

/** Index behind a number. */
function endOfNumber(json: string, start: number): number {
  let i = start + 1;
  while (i < json.length && (isDigit(json[i] as string) || '+-.eE'.includes(json[i] as string)))
    i++;
  return i;
}
