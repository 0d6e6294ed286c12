/** Models that may be large are fetched once the user knows what they take. */
import type { ModelSource } from '../../src/web/worker/index.ts';
import { announce } from './announce.ts';
import { problemOf } from './problem.ts';
import { load, problem } from './session.ts';
import { estimate, size } from './store.ts';

/** What is to know, and what may be done about it. */
export interface Note {
  readonly text: string;
  readonly action?: { readonly label: string; run(): void } | undefined;
}

/**
 * Loads a model of which all is here.
 * @param then Called when it was loaded, or the user has said that it be fetched.
 * @returns What another one takes, and a way to fetch it; undefined where there is nothing to ask.
 */
export async function offerOf(
  source: ModelSource,
  name: string,
  then: () => void,
): Promise<Note | undefined> {
  try {
    announce(`Looking at ${name}`);
    const { bytes, storedBytes, gpuBytes, problem: why } = await estimate(source);
    if (storedBytes >= bytes) {
      await load(source);
      then();
      return undefined;
    }
    const rest = size(bytes - storedBytes);
    const fetchIt = async (): Promise<void> => {
      await load(source);
      then();
    };
    const room = why ? ` This device cannot hold it: ${why}.` : '';
    announce(`${name}: ${rest} to fetch`);
    return {
      text: `${name}: ${rest} to fetch, ${size(gpuBytes)} of GPU memory.${room}`,
      action: { label: `Fetch ${rest}${why ? ' all the same' : ''}`, run: () => void fetchIt() },
    };
  } catch (error) {
    problem.value = problemOf(error, 'model');
    return undefined;
  }
}
