/** Says which state dict of a file was taken, where that is not plain. */
import type { Checkpoint } from './checkpoint.ts';

/** Where the official files have theirs: nothing to be said about them. */
const PLAIN: readonly string[] = ['', 'model'];

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
  const rest = others.length > 0 ? `; it also has ${others.map(quote).join(', ')}` : '';
  return `took ${taken}${rest}`;
}

const quote = (path: string): string => JSON.stringify(path);
