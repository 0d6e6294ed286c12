/** One network of a model on a device: its weights, and the programs built over them. */
import type { Memory } from '../gpu/memory.ts';
import { type Inspector, uploadWeights } from '../gpu/upload.ts';
import { wantedTensors } from '../gpu/upload-plan.ts';
import type { DeviceWatch } from '../gpu/watch.ts';
import { Graph } from '../graph/graph.ts';
import type { Precision } from '../models/precision.ts';
import { WeightsDigest } from '../weights/digest.ts';
import { matchTensors } from '../weights/join.ts';
import type { Safetensors } from '../weights/safetensors.ts';
import { checkLimits } from './limits.ts';

export interface Network<Config> {
  readonly config: Config;
  readonly precision: Precision;
  readonly memory: Memory;
  readonly watch: DeviceWatch;
  /** Buffers by name of the graph's weights: state-dict names, with the rows of parts. */
  readonly weights: ReadonlyMap<string, GPUBufferBinding>;
  /** Values that became zero when they were rounded to 16 bits. */
  readonly flushedValues: number;
  /** Tells the weights from others; see `WeightsDigest`. */
  readonly weightsDigest: string;
  /**
   * Runs one piece of work at a time, in the order asked for: programs keep state in their buffers.
   * @throws DeviceError when the model was destroyed or its device failed before it is its turn.
   */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  /**
   * The cached program of a kind. One of another shape takes its place and frees it, so that memory
   * does not grow with the number of shapes. Only inside `exclusive`.
   */
  cached<T extends Destroyable>(kind: string, shape: string, build: () => Promise<T>): Promise<T>;
}

export interface Destroyable {
  /** Frees the GPU memory that is its own. */
  destroy(): void;
}

export interface NetworkSource<Config> {
  readonly config: Config;
  readonly precision: Precision;
  readonly file: Safetensors;
  /** Defines graphs that together name every weight the network needs. */
  readonly define: (g: Graph) => void;
  /** Names the file may hold beyond those. */
  readonly ignore?: readonly RegExp[] | undefined;
  /** Makes what looks at the weights while they are loaded. */
  readonly inspector?: () => Inspector | undefined;
}

export interface TransferOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called as weights reach the device, in bytes of the file. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
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
  const { config, precision, file, define, ignore = [], inspector } = source;
  const g = new Graph();
  define(g);
  const weights = g.residents.filter(({ life }) => life === 'weight');
  const stored = wantedTensors(file, weights);
  matchTensors(file, stored, { ignore });
  checkLimits(device, file.name, weights);
  return {
    byteLength: stored.reduce((sum, t) => sum + (file.tensors.get(t.name)?.byteLength ?? 0), 0),
    async load(memory, options = {}) {
      const { watch } = memory;
      let flushedValues = 0;
      const onFlushed = (_: string, values: number): void => {
        flushedValues += values;
      };
      const digest = new WeightsDigest();
      const look = inspector?.();
      const inspect: Inspector = (tensor, dtype, bytes) => {
        look?.(tensor, dtype, bytes);
        digest.add(tensor, dtype, bytes);
      };
      const bindings = await watch.race(
        uploadWeights(memory, file, weights, { ...options, onFlushed, inspect }),
      );
      const weightsDigest = await digest.digest();
      const known = { config, precision, memory, watch, flushedValues, weightsDigest };
      const loaded = { ...known, weights: bindings };
      return { ...loaded, exclusive: queue(watch), cached: programCache() };
    },
  };
}

/** One piece of work after another; a failed one does not stop the next, but a failed device does. */
export function queue(watch: DeviceWatch): Network<unknown>['exclusive'] {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(() => {
      watch.check();
      return work();
    });
    const forget = (): void => {}; // the queue must not keep results alive
    last = next.then(forget, forget);
    return next;
  };
}

/** One program per kind. */
function programCache(): Network<unknown>['cached'] {
  const programs = new Map<string, { readonly shape: string; readonly program: Destroyable }>();
  return async <T extends Destroyable>(
    kind: string,
    shape: string,
    build: () => Promise<T>,
  ): Promise<T> => {
    const there = programs.get(kind);
    if (there?.shape === shape) return there.program as T;
    programs.delete(kind);
    there?.program.destroy();
    const program = await build();
    programs.set(kind, { shape, program });
    return program;
  };
}
