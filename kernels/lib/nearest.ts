/** What somebody who misspelt a name may have meant. */

/** Most edits that are looked for: one more takes three times as long. */
const MOST = 4;

/** The known name that takes the fewest edits, if those are at most a third of its letters; case does not count. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  for (let edits = 0; edits <= Math.min(MOST, Math.ceil(name.length / 3)); edits++) {
    const near = known.find((other) => isWithin(edits, name.toLowerCase(), other.toLowerCase()));
    if (near) return near;
  }
  return undefined;
}

/** Whether one is the other but for so many letters that are inserted, left out or replaced (Levenshtein 1966). */
function isWithin(edits: number, from: string, to: string): boolean {
  if (from === to) return true;
  const [a, b] = [from.slice(1), to.slice(1)];
  if (from[0] === to[0]) return isWithin(edits, a, b);
  return (
    edits > 0 &&
    [
      [from, b],
      [a, to],
      [a, b],
    ].some(([c = '', d = '']) => isWithin(edits - 1, c, d))
  );
}
