/** What somebody who misspelt a name may have meant. */
import { range } from '../kernel.ts';

/** The known name that takes the fewest edits, if those are at most a third of its letters; case does not count. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const far = known.map((other) => edits(name.toLowerCase(), other.toLowerCase()));
  const least = Math.min(...far);
  return least <= Math.max(1, Math.ceil(name.length / 3)) ? known[far.indexOf(least)] : undefined;
}

/** Letters to insert, to leave out or to replace (Levenshtein 1966). */
function edits(from: string, to: string): number {
  // Of the letters so far, to each beginning of `to`.
  let row = range(to.length + 1);
  for (const letter of from) {
    let left = Number(row[0]) + 1;
    row = row.map((above, i) => {
      if (i > 0) {
        const replaced = Number(row[i - 1]) + (letter === to[i - 1] ? 0 : 1);
        left = Math.min(left + 1, above + 1, replaced);
      }
      return left;
    });
  }
  return Number(row[to.length]);
}
