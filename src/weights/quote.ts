/** Values nobody has checked yet, as messages repeat them. */

/** Longest piece of a value in a message. */
const MOST_CHARS = 80;

/**
 * A value as JSON, cut after `most` characters. It goes no deeper than what is shown, where
 * `JSON.stringify` overflows the stack on lists inside lists.
 */
export function quote(value: unknown, most: number = MOST_CHARS): string {
  const text = opening(value, most + 1);
  return text.length > most ? `${text.slice(0, most)}...` : text;
}

/** A name as it is, cut where it is too long for a line. */
export const brief = (name: string): string =>
  name.length > MOST_CHARS ? `${name.slice(0, MOST_CHARS)}...` : name;

/** The first `most` characters of the value's JSON, or a few more, or all of it. */
function opening(value: unknown, most: number): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, most));
  if (typeof value !== 'object' || value === null) return String(value);
  const isList = Array.isArray(value);
  let text = isList ? '[' : '{';
  const start = text.length;
  // Every level has written a character more than the one around it, so that the depth ends with `most`.
  for (const key of isList ? value.keys() : Object.keys(value)) {
    if (text.length > start) text += ',';
    if (!isList) text += `${opening(key, most - text.length)}:`;
    if (text.length >= most) return text;
    text += opening((value as Record<PropertyKey, unknown>)[key], most - text.length);
  }
  return text + (isList ? ']' : '}');
}
