/** Whether an adapter can hold an official model, said before anything is downloaded. */

import { checkpointMemory, dtypesOf, roomProblem } from '../catalogue/checkpoint-memory.ts';
import { CHECKPOINTS, type Checkpoint } from '../catalogue/checkpoints.ts';
import { DeviceError } from '../errors.ts';
import type { AdapterView } from './adapter-view.ts';
import { formatMB } from './report.ts';

/** The adapter and its room on one line. */
export function describeRoom(adapter: AdapterView | undefined): string {
  if (!adapter) return 'none was found, so nothing can be said of what it holds';
  const { description, maxBufferSize, maxStorageBufferBindingSize, memoryBytes } = adapter;
  const memory =
    memoryBytes === undefined
      ? 'its memory is not known: WebGPU does not say'
      : `${formatMB(memoryBytes)} of memory, shared with the machine`;
  const limits = `buffers up to ${formatMB(maxBufferSize)}, bound up to ${formatMB(maxStorageBufferBindingSize)}`;
  return `${description}: ${limits}; ${memory}`;
}

/**
 * @returns What to say when the adapter holds the model only at some storage types.
 * @throws DeviceError (`limit`) when it holds it at none, with the limit and what would fit.
 */
export function assertFits(checkpoint: Checkpoint, adapter: AdapterView): string | undefined {
  const problems = problemsOf(checkpoint, adapter);
  const [smallest] = [...problems].reverse();
  const fitting = [...problems].flatMap(([dtype, problem]) =>
    problem === undefined ? [dtype] : [],
  );
  if (fitting.length === problems.size) return undefined;
  if (fitting.length > 0) {
    const [dtype, problem] = [...problems].find(([, found]) => found !== undefined) ?? [];
    return `this adapter holds ${checkpoint.name} at ${fitting.join(', ')} only: at ${dtype} ${problem}`;
  }
  const others = CHECKPOINTS.filter(
    (other) => other.gpt && [...problemsOf(other, adapter).values()].includes(undefined),
  );
  const wouldFit = others.map(({ name }) => name).join(', ');
  throw new DeviceError(
    'limit',
    `this adapter cannot hold ${checkpoint.name}: even at ${smallest?.[0]} ${smallest?.[1]}; ` +
      `${wouldFit ? `it can hold ${wouldFit}` : 'it can hold no official model'}; --force downloads it anyway`,
  );
}

/** Why not, for each storage type from large to small. */
function problemsOf(checkpoint: Checkpoint, adapter: AdapterView): Map<string, string | undefined> {
  const memory = checkpointMemory(checkpoint);
  return new Map(
    dtypesOf(checkpoint).map((dtype) => {
      const need = memory.get(dtype);
      return [dtype, need && roomProblem(need, adapter)];
    }),
  );
}
