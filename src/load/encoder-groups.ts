/** Layers of a text encoder on a device, all at once or some at a time, and rows that pass through them. */
import { OptionError } from '../errors.ts';
import { abortable } from '../gpu/abortable.ts';
import type { Memory } from '../gpu/memory.ts';
import { build, type Program } from '../gpu/program.ts';
import { uploadWeights } from '../gpu/upload.ts';
import { wantedTensors } from '../gpu/upload-plan.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import type { Precision } from '../models/precision.ts';
import { type PromptRows, placesOf, type T5Layers, type T5Pass, t5Layers } from '../models/t5.ts';
import { relativeBuckets } from '../models/t5-config.ts';
import type { EncoderFiles } from './encoder-files.ts';
import type { TransferOptions } from './network.ts';

/** Neighbouring layers that are on the device together. */
export interface Group extends Omit<T5Pass, 'rows'> {
  readonly weights: readonly Tensor[];
  /** GPU bytes of the weights, without the padding between them. */
  readonly bytes: number;
  /** Bytes of the file that are read for them. */
  readonly fileBytes: number;
}

/** Rows of some prompts that pass through the layers together. */
export interface Batch {
  /** What each prompt has of the rows. */
  readonly prompts: readonly PromptRows[];
  /** All rows, with those of no prompt at the end. */
  readonly rows: number;
  /** The residual stream, f32 [rows, dim]; behind the last layer the features. */
  readonly stream: GPUBuffer;
}

/** Layers whose commands are queued before the device is through with the one before them. */
const AHEAD = 2;

/** An encoder's files, and how and where its layers are put. */
export interface EncoderOn extends EncoderFiles {
  readonly memory: Memory;
  readonly precision: Precision;
}

/**
 * The layers in groups of at most `maxBytes` of weights each.
 * @throws OptionError when not even one layer fits.
 */
export function groupsWithin(on: Omit<EncoderOn, 'memory'>, maxBytes: number): Group[] {
  const { nLayer } = on.config;
  const all = groupOf(on, 0, nLayer);
  if (all.bytes <= maxBytes) return [all];
  // The last has the final norm, the most that a group has beside its layers.
  const { bytes: one } = groupOf(on, nLayer - 1, 1);
  if (one > maxBytes) {
    throw new OptionError(
      `"maxWeightBytes" expected at least ${one}, the bytes of the weights of one layer, got ${maxBytes}`,
    );
  }
  let count = nLayer - 1;
  while (groupOf(on, nLayer - count, count).bytes > maxBytes) count--;
  return groupsOf(on, count);
}

/** The layers in groups of `count`; the last may have fewer. */
export function groupsOf(on: Omit<EncoderOn, 'memory'>, count: number): Group[] {
  const { nLayer } = on.config;
  const firsts = Array.from({ length: Math.ceil(nLayer / count) }, (_, i) => i * count);
  return firsts.map((first) => groupOf(on, first, Math.min(count, nLayer - first)));
}

/** Layers `first` to `first + count - 1`. */
function groupOf(
  { config, precision, file }: Omit<EncoderOn, 'memory'>,
  first: number,
  count: number,
): Group {
  const g = new Graph();
  t5Layers(g, config, { rows: 1, first, count }, precision);
  const weights = g.residents.filter(({ life }) => life === 'weight');
  const stored = wantedTensors(file, weights);
  return {
    ...{ first, count, weights },
    bytes: weights.reduce((sum, tensor) => sum + byteLength(tensor), 0),
    fileBytes: stored.reduce((sum, { name }) => sum + (file.tensors.get(name)?.byteLength ?? 0), 0),
  };
}

/** A group whose weights are on a device. */
export interface LoadedGroup {
  /** Queues the passage of rows through the layers. */
  pass(batch: Batch, signal?: AbortSignal): Promise<void>;
  /** Frees weights and programs, once the device is through with them. */
  free(): Promise<void>;
}

/** Loads the weights of a group. */
export async function loadGroup(
  on: EncoderOn,
  group: Group,
  transfer: TransferOptions,
): Promise<LoadedGroup> {
  const { memory, file } = on;
  const { queue } = memory.device;
  const weights = await memory.watch.race(uploadWeights(memory, file, group.weights, transfer));
  let built: Built | undefined;
  return {
    async pass(batch, signal) {
      if (built?.rows !== batch.rows) {
        built?.program.destroy();
        built = undefined;
        built = await buildLayers(on, group, batch.rows, weights);
      }
      await runLayers(memory, built, batch, signal);
    },
    async free() {
      try {
        // Freed memory is there for others only when the device is through with it.
        await memory.watch.race(queue.onSubmittedWorkDone());
      } finally {
        built?.program.destroy();
        memory.free(new Set([...weights.values()].map(({ buffer }) => buffer)));
      }
    },
  };
}

/** The program of a group for a number of rows. */
interface Built {
  readonly rows: number;
  readonly layers: T5Layers;
  readonly program: Program;
}

async function buildLayers(
  { memory, config, precision }: EncoderOn,
  { first, count }: Group,
  rows: number,
  weights: ReadonlyMap<string, GPUBufferBinding>,
): Promise<Built> {
  const g = new Graph();
  const layers = t5Layers(g, config, { rows, first, count }, precision);
  const built = build(memory, g, { weights, keep: [layers.out] });
  const program = await memory.watch.race(built);
  const { queue } = memory.device;
  await memory.checked('writing distances of positions', () =>
    queue.writeBuffer(program.bufferOf(layers.bucketTable), 0, relativeBuckets(config)),
  );
  return { rows, layers, program };
}

/** A submit a layer: one of all layers would keep an adapter from anything else for long. */
async function runLayers(
  memory: Memory,
  { layers, program }: Built,
  { prompts, rows, stream }: Batch,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { device, watch } = memory;
  const { queue } = device;
  const { x, places, out, ends } = layers;
  const [from, to] = [program.bufferOf(x), program.bufferOf(out)];
  const accepted: Promise<unknown>[] = [];
  const done: Promise<unknown>[] = [];
  for (const [layer, end] of ends.entries()) {
    signal?.throwIfAborted();
    const isLast = layer === ends.length - 1;
    const begin = ends[layer - 1] ?? 0;
    const work = (): void => {
      const encoder = device.createCommandEncoder({ label: 'layer of the text encoder' });
      if (layer === 0) {
        queue.writeBuffer(program.bufferOf(places), 0, placesOf(prompts, rows));
        encoder.copyBufferToBuffer(stream, 0, from, 0, stream.size);
      }
      const pass = encoder.beginComputePass();
      for (let i = begin; i < (isLast ? program.steps.length : end); i++) {
        program.encodeStep(pass, i);
      }
      pass.end();
      if (isLast) encoder.copyBufferToBuffer(to, 0, stream, 0, stream.size);
      queue.submit([encoder.finish()]);
    };
    accepted.push(memory.checked('encoding prompts', work));
    const finished = watch.race(queue.onSubmittedWorkDone());
    finished.catch(() => {}); // told to whoever waits for one of them
    done.push(finished);
    const before = done[layer - AHEAD];
    if (before) await abortable(before, signal);
  }
  await abortable(Promise.all([...accepted, ...done]), signal);
}
