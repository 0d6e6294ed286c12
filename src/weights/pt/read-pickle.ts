/** Reads a pickle out of a file, as much of it as is needed. */
import { WeightsError } from '../../errors.ts';
import { type ByteSource, readExactly } from '../source.ts';
import { type Unpickled, unpickle } from './unpickle.ts';

/** Longest pickle that is read: those of the largest checkpoints have about 0.2 MB. */
const MAX_PICKLE_BYTES = 2 ** 24;
/** First read; more are needed only where the file does not say how long the pickle is. */
const FIRST_READ_BYTES = 2 ** 19;

/**
 * Reads the pickle at `offset`.
 * @param part What it holds, for messages.
 * @param available Bytes up to the end of its entry or of the file.
 * @throws WeightsError when it does not end there, or is not allowed.
 */
export async function readPickle(
  source: ByteSource,
  part: string,
  offset: number,
  available: number,
): Promise<Unpickled> {
  const where = `${source.name}: ${part}`;
  const most = Math.min(available, MAX_PICKLE_BYTES);
  for (let length = Math.min(FIRST_READ_BYTES, most); ; length = Math.min(2 * length, most)) {
    const result = unpickle(where, await readExactly(source, offset, length));
    if (result) return result;
    if (length === most) {
      throw new WeightsError(
        most < available
          ? `${where}: the pickle has more than ${MAX_PICKLE_BYTES} bytes, the most that are read`
          : `${where}: the pickle is cut off after ${available} bytes`,
      );
    }
  }
}
