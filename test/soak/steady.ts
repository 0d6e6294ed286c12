/** What a process and its engine hold, and whether it grows. */
import { getEventListeners } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { LastingEngine } from '../../src/index.ts';

/** What is looked at while it does nothing. */
export interface Watched {
  /** Resolves when nothing is asked for any more. */
  idle(): Promise<void>;
  gpuBytes(): number;
  listeners(): number;
  left(): number;
}

export interface Sample {
  readonly requests: number;
  /** Bytes that JavaScript holds after its garbage was collected, buffers included. */
  readonly heap: number;
  /** Bytes of GPU memory. */
  readonly gpu: number;
  /** Who waits for what all requests share: a signal, a server. */
  readonly listeners: number;
  /** Timers, sockets and the like that keep the process alive. */
  readonly resources: string;
  /** Requests and slots that an idle engine still has. */
  readonly left: number;
}

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** An engine, and a signal that requests share. */
export const engineWatched = (engine: LastingEngine, signal: AbortSignal): Watched => ({
  idle: () => engine.idle(),
  gpuBytes: () => sumOf(engine.model.memory),
  listeners: () => getEventListeners(signal, 'abort').length,
  left() {
    const { waiting, running, finishing, slotsInUse } = engine.load;
    return engine.jobs + waiting + running + finishing + slotsInUse;
  },
});

export const sumOf = (bytes: Readonly<Record<string, number>>): number =>
  Object.values(bytes).reduce((a, b) => a + b, 0);

/** Looks at what keeps the process alive. */
const LOOKS = 10;

/**
 * What keeps the process alive, by its kind: the least of several looks, since Dawn comes back to its devices
 * in immediates and in timers of a millisecond.
 */
export async function lastingResources(): Promise<string> {
  const looks: string[][] = [];
  for (let i = 0; i < LOOKS; i++) {
    await sleep(5);
    looks.push(process.getActiveResourcesInfo().filter((kind) => kind !== 'Immediate'));
  }
  const [least = []] = looks.toSorted((a, b) => a.length - b.length);
  return least.toSorted().join(' ');
}

/** Looks once it is idle. */
export async function sampleOf(requests: number, watched: Watched): Promise<Sample> {
  await watched.idle();
  for (let i = 0; i < 4; i++) {
    await setImmediate();
    collect();
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return {
    requests,
    heap: heapUsed + arrayBuffers,
    gpu: watched.gpuBytes(),
    listeners: watched.listeners(),
    resources: await lastingResources(),
    left: watched.left(),
  };
}

const MIB = 2 ** 20;

export const shown = ({ requests, heap, gpu }: Sample): string =>
  `${requests} requests, heap ${(heap / MIB).toFixed(2)} MiB, GPU ${(gpu / MIB).toFixed(3)} MiB`;

/** What V8 keeps besides, of code and of feedback: it does not grow with the requests. */
const SPARE_HEAP = 0.75 * MIB;

/** Buffers that lines of tokens are read through, of 64 bytes each: as many as were once wanted at a time. */
const SPARE_GPU = 8 * 1024;

/** What is larger in the last sample than in the first, which was taken when all code had run. */
export function growth(samples: readonly Sample[], spareHeap: number = SPARE_HEAP): string[] {
  const [first, last] = [samples.at(0), samples.at(-1)];
  if (!first || !last || first === last) return ['nothing to compare'];
  const faults: string[] = [];
  if (last.heap > first.heap + spareHeap)
    faults.push(`the heap grew: ${shown(first)}; ${shown(last)}`);
  if (last.gpu > first.gpu + SPARE_GPU)
    faults.push(`GPU memory grew: ${shown(first)}; ${shown(last)}`);
  if (last.resources !== first.resources)
    faults.push(`resources were "${first.resources}" and are "${last.resources}"`);
  for (const { requests, listeners, left } of samples) {
    if (listeners > 0) faults.push(`after ${requests} requests ${listeners} listeners are left`);
    if (left > 0) faults.push(`after ${requests} requests ${left} requests or slots are left`);
  }
  return faults;
}
