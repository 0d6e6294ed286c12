/** Prompts through the layers of a text encoder. */
import { WeightsError } from '../errors.ts';
import { abortable } from '../gpu/abortable.ts';
import { readBuffer } from '../gpu/readback.ts';
import type { CaptionFeatures } from '../models/caption.ts';
import type { PromptRows } from '../models/t5.ts';
import { readRows } from './encoder-files.ts';
import {
  type Batch,
  type EncoderOn,
  type Group,
  type LoadedGroup,
  loadGroup,
} from './encoder-groups.ts';
import type { TransferOptions } from './network.ts';

/** The layers of an encoder: on the device, or to be loaded group by group. */
export interface Layers {
  readonly groups: readonly Group[];
  /** The only group, where it is loaded. */
  readonly resident?: LoadedGroup | undefined;
}

/** Rows that pass through the layers together; more prompts make more batches. */
const MOST_ROWS = 1024;

/** Where rows of prompts are before they have buffers. */
type Placed = Omit<Batch, 'stream'>;

/**
 * Features of prompts, in their order. All batches pass through a group before the next is loaded.
 * @param ids Known ids of each prompt, none empty.
 */
export async function encodePrompts(
  on: EncoderOn,
  { groups, resident }: Layers,
  ids: readonly (readonly number[])[],
  { signal, onProgress }: TransferOptions,
): Promise<CaptionFeatures[]> {
  const { memory } = on;
  const batches: Batch[] = [];
  const total = groups.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  let loaded = 0;
  try {
    for (const batch of placed(ids, on.precision.variant.reduce === 'serial')) {
      batches.push(await startOf(on, batch, ids.slice(batch.from, batch.to), signal));
    }
    for (const group of groups) {
      const transfer = { signal, onProgress: (done: number) => onProgress?.(loaded + done, total) };
      const layers = resident ?? (await loadGroup(on, group, transfer));
      try {
        for (const batch of batches) await layers.pass(batch, signal);
      } finally {
        if (!resident) await layers.free();
      }
      loaded += group.fileBytes;
    }
    const features: CaptionFeatures[] = [];
    for (const batch of batches) {
      const bytes = readBuffer(memory, batch.stream);
      const read = await abortable(memory.watch.race(bytes), signal);
      features.push(...featuresOf(on, batch, new Float32Array(read)));
    }
    return features;
  } finally {
    memory.free(batches.map(({ stream }) => stream));
  }
}

/** Prompts in batches, in their order, each with the rows of its prompts one after another. */
function placed(
  ids: readonly (readonly number[])[],
  serial: boolean,
): (Placed & { readonly from: number; readonly to: number })[] {
  const batches: { prompts: PromptRows[]; count: number; from: number; to: number }[] = [];
  for (const [n, { length: count }] of ids.entries()) {
    let batch = batches.at(-1);
    if (!batch || batch.count + count > MOST_ROWS) {
      batch = { prompts: [], count: 0, from: n, to: n };
      batches.push(batch);
    }
    batch.prompts.push({ first: batch.count, count });
    batch.count += count;
    batch.to = n + 1;
  }
  return batches.map(({ count, ...batch }) => ({ ...batch, rows: roomFor(count, serial) }));
}

/**
 * Rows of a program for so many tokens. Few different ones, as each makes pipelines of its own: whole
 * tiles of GPUs, and what costs software adapters little.
 */
function roomFor(tokens: number, serial: boolean): number {
  const step = !serial ? 64 : tokens <= 64 ? 8 : 32;
  return Math.ceil(tokens / step) * step;
}

/** A batch whose stream holds the rows of the table. */
async function startOf(
  on: EncoderOn,
  { prompts, rows }: Placed,
  ids: readonly (readonly number[])[],
  signal: AbortSignal | undefined,
): Promise<Batch> {
  const { memory, config } = on;
  const values = await readRows(on, ids.flat(), signal);
  const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
  const stream = await memory.checked('memory of prompts', () => {
    const size = rows * config.dim * 4;
    const made = memory.create('state', 'stream', size, STORAGE | COPY_SRC | COPY_DST);
    memory.device.queue.writeBuffer(made, 0, values);
    return made;
  });
  return { prompts, rows, stream };
}

/** @throws WeightsError when features are not finite. */
function featuresOf(
  { config, file }: EncoderOn,
  { prompts }: Batch,
  stream: Float32Array<ArrayBuffer>,
): CaptionFeatures[] {
  const { dim } = config;
  return prompts.map(({ first, count: tokens }, n) => {
    const values = stream.slice(first * dim, (first + tokens) * dim);
    const at = values.findIndex((value) => !Number.isFinite(value));
    if (at < 0) return { values, tokens, dim };
    throw new WeightsError(
      `${file.name}: the features of prompt ${n} are not finite (${values[at]} in token ${Math.floor(at / dim)}): the weights are damaged`,
    );
  });
}
