/** Finds what JSON.parse hides: an object with the same key twice. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The first key that occurs twice in one object, or undefined.
 * @param json Text that JSON.parse has accepted.
 */
export function findDuplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  // Strings are scanned by hand: a regular expression overflows its stack on very long ones.
  for (let i = 0; i < json.length; i++) {
    const char = json[i];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(undefined);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(json, i + 1);
      const keys = open.at(-1);
      if (keys && isKey(json, end + 1)) {
        const key = JSON.parse(json.slice(i, end + 1)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      i = end;
    }
  }
  return undefined;
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
