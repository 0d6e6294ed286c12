/** Models that may be large are fetched once the user knows what they take. */
import type { ModelSource } from '../../src/web/worker/index.ts';
import { announce } from './announce.ts';
import { load } from './session.ts';
import { estimate, size } from './store.ts';

/** What is to know, and what may be done about it. */
export interface Note {
  readonly text: string;
  readonly action?: { readonly label: string; run(): void } | undefined;
}

/**
 * Loads a model of which all is here, and says what another one takes.
 * @param show Shows that, with a way to fetch the model; undefined takes it away again.
 * @throws Error of whatever keeps it from being looked at.
 */
export async function offer(
  source: ModelSource,
  name: string,
  show: (note: Note | undefined) => void,
): Promise<void> {
  show(undefined);
  announce(`Looking at ${name}`);
  const { bytes, storedBytes, gpuBytes, modelType, pixels, problem } = await estimate(source);
  const loadIt = (): void => {
    show(undefined);
    void load(source);
  };
  if (storedBytes >= bytes) {
    loadIt();
    return;
  }
  const rest = size(bytes - storedBytes);
  const draws = `${modelType === 't2i' ? 'texts' : 'classes'}, ${pixels} × ${pixels} pixels`;
  const room = problem ? ` This device cannot hold it: ${problem}.` : '';
  announce(`${name}: ${rest} to fetch`);
  show({
    text: `${name}: ${draws}, ${rest} to fetch, ${size(gpuBytes)} of GPU memory.${room}`,
    action: { label: `Fetch ${rest}${problem ? ' all the same' : ''}`, run: loadIt },
  });
}
