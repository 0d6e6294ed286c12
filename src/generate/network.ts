/** One network of a model on a device: its weights, and the programs built over them. */
import type { Memory } from '../gpu/memory.ts';
import { uploadWeights } from '../gpu/upload.ts';
import { type DeviceWatch, watchDevice } from '../gpu/watch.ts';
import { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Precision } from '../models/precision.ts';
import { matchTensors } from '../weights/join.ts';
import type { Safetensors } from '../weights/safetensors.ts';
import { checkLimits } from './limits.ts';

export interface Network<Config> {
  readonly config: Config;
  readonly precision: Precision;
  readonly memory: Memory;
  readonly watch: DeviceWatch;
  /** Buffers by state-dict name. */
  readonly weights: ReadonlyMap<string, GPUBufferBinding>;
  /** What is kept under `key`, built on first use. */
  cached<T>(key: string, build: () => Promise<T>): Promise<T>;
}

export interface NetworkSource<Config> {
  readonly config: Config;
  readonly precision: Precision;
  readonly file: Safetensors;
  /** Defines graphs that together name every weight the network needs. */
  readonly define: (g: Graph) => void;
  /** Names the file may hold beyond those. */
  readonly ignore?: readonly RegExp[];
}

export interface TransferOptions {
  readonly signal?: AbortSignal;
  /** Called as weights reach the device, in bytes of the file. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** A network whose file has been checked against its config, ready to be loaded. */
export interface CheckedNetwork<Config> {
  /** Bytes of the file that will be read. */
  readonly byteLength: number;
  load(memory: Memory, options?: TransferOptions): Promise<Network<Config>>;
}

/**
 * Checks a file against what a network needs, and what it needs against the device; loads nothing.
 * @throws WeightsError with all names that do not fit; DeviceError when a tensor is too large.
 */
export function checkNetwork<Config>(
  device: GPUDevice,
  source: NetworkSource<Config>,
): CheckedNetwork<Config> {
  const { config, precision, file, define, ignore = [] } = source;
  const g = new Graph();
  define(g);
  const wanted = g.residents.filter(({ life }) => life === 'weight');
  matchTensors(file, wanted, { ignore });
  checkLimits(device, file.source.name, wanted);
  return {
    byteLength: bytesOf(file, wanted),
    async load(memory, options = {}) {
      const watch = watchDevice(memory.device);
      const weights = await watch.race(
        memory.checked(`loading ${file.source.name}`, () =>
          uploadWeights(memory, file, wanted, options),
        ),
      );
      return { config, precision, memory, watch, weights, cached: cache() };
    },
  };
}

function bytesOf(file: Safetensors, tensors: readonly Tensor[]): number {
  return tensors.reduce((sum, t) => sum + (file.tensors.get(t.name)?.byteLength ?? 0), 0);
}

function cache(): Network<unknown>['cached'] {
  const kept = new Map<string, Promise<unknown>>();
  return <T>(key: string, build: () => Promise<T>): Promise<T> => {
    const made = (kept.get(key) as Promise<T> | undefined) ?? build();
    kept.set(key, made);
    made.catch(() => kept.delete(key)); // a build that failed may be tried again
    return made;
  };
}
