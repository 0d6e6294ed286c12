/** Says which state dict of a file was taken, where that is not plain. */
import type { Checkpoint } from './checkpoint.ts';
import { quote } from './quote.ts';

/** Where the official files have theirs: nothing to be said about them. */
const PLAIN: readonly string[] = ['', 'model'];

/** Most others that are named. */
const MAX_NAMED = 5;

/**
 * @param file What to call the file.
 * @returns A sentence without its full stop; undefined when the file has one state dict, in its usual
 * place.
 */
export function describeTaken(
  file: string,
  { takenFrom, others }: Pick<Checkpoint, 'takenFrom' | 'others'>,
): string | undefined {
  if (others.length === 0 && PLAIN.includes(takenFrom)) return undefined;
  const taken =
    takenFrom === '' ? `the tensors of ${file} itself` : `${quote(takenFrom)} of ${file}`;
  const named = others.slice(0, MAX_NAMED).map((path) => quote(path));
  if (others.length > MAX_NAMED) named.push(`${others.length - MAX_NAMED} more`);
  return `took ${taken}${named.length > 0 ? `; it also has ${named.join(', ')}` : ''}`;
}
