/** What an official model takes on a GPU at each storage type, known before anything is downloaded. */
import { Graph } from '../graph/graph.ts';
import { plan } from '../graph/plan.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import { type Checkpoint, filesOf } from '../models/checkpoints.ts';
import { gptDecoder } from '../models/gpt.ts';
import { gptWeightShapes } from '../models/gpt-config.ts';
import { downsampleOf, vqParameterCount } from '../models/vq-config.ts';
import { vqDecoder } from '../models/vq-decoder.ts';

/** Storage of a decoder's matrices on the device. */
export const WEIGHT_DTYPES = ['f32', 'bf16', 'f16', 'int8', 'int4'] as const;
export type WeightDtype = (typeof WEIGHT_DTYPES)[number];

/** Bits of a value of a matrix: int8 has an f16 scale for 64 values, int4 for 32. */
const MATRIX_BITS: Readonly<Record<WeightDtype, number>> = {
  f32: 32,
  bf16: 16,
  f16: 16,
  int8: 8 + 16 / 64,
  int4: 4 + 16 / 32,
};

/** Tables and the head lose most by few bits and are a small share: bf16 beside quantised matrices. */
const TABLES: ReadonlySet<string> = new Set([
  'cls_embedding.embedding_table.weight',
  'tok_embeddings.weight',
  'output.weight',
]);
const TABLE_BITS: Readonly<Record<WeightDtype, number>> = {
  ...MATRIX_BITS,
  int8: 16,
  int4: 16,
};

/** One image is decoded at a time, and one made with guidance has two rows. */
const ONE_GUIDED_IMAGE = { sequences: 1, guided: true } as const;

/** The kernels of a graph are chosen by what a device has; their memory hardly depends on it. */
const PORTABLE = { reduce: 'serial', f16: false } as const;

/** Pixels of a side of the image that a tokenizer alone is measured with. */
const TOKENIZER_PIXELS = 256;

export interface NamedBytes {
  readonly name: string;
  readonly bytes: number;
}

/** GPU bytes for one guided image. */
export interface CheckpointMemory {
  /** Decoder in its storage type, tokenizer in f32. */
  readonly weights: number;
  /** KV cache in f32, and what else lives from token to token. */
  readonly state: number;
  /** Results between kernels. */
  readonly temp: number;
  readonly total: number;
  readonly largestWeight: NamedBytes;
  /** The largest of all other buffers. */
  readonly largestBuffer: NamedBytes;
}

/** The types that make a difference: a tokenizer alone is always f32. */
export function dtypesOf(checkpoint: Checkpoint): readonly WeightDtype[] {
  return checkpoint.gptConfig ? WEIGHT_DTYPES : ['f32'];
}

/** What a model takes at every storage type. */
export function checkpointMemory(
  checkpoint: Checkpoint,
): ReadonlyMap<WeightDtype, CheckpointMemory> {
  const vqWeights = 4 * vqParameterCount(checkpoint.vqConfig, 'decoder');
  const { buffers, state, temp } = runtimeBuffers(checkpoint);
  return new Map(
    dtypesOf(checkpoint).map((dtype) => {
      const gpt = gptWeights(checkpoint, dtype);
      const weights = vqWeights + gpt.reduce((sum, { bytes }) => sum + bytes, 0);
      return [
        dtype,
        {
          weights,
          state,
          temp,
          total: weights + state + temp,
          largestWeight: largest(gpt),
          largestBuffer: largest(buffers),
        },
      ];
    }),
  );
}

/** What decides whether an adapter can hold a model. */
export interface AdapterRoom {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  /** Bytes of its memory; undefined on GPUs, where WebGPU does not say. */
  readonly memoryBytes?: number;
}

/** Why an adapter cannot hold a model at some storage type; undefined when nothing speaks against it. */
export function roomProblem(memory: CheckpointMemory, room: AdapterRoom): string | undefined {
  const names = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;
  for (const { name, bytes } of [memory.largestWeight, memory.largestBuffer]) {
    for (const limit of names) {
      if (bytes <= room[limit]) continue;
      return `${name} takes ${megabytes(bytes)}, and ${limit} of this adapter is ${megabytes(room[limit])}`;
    }
  }
  const { memoryBytes = Number.POSITIVE_INFINITY } = room;
  if (memory.total <= memoryBytes) return undefined;
  return `it takes ${megabytes(memory.total)}, and this adapter has ${megabytes(memoryBytes)} of memory`;
}

/** Every weight of the decoder with its bytes. */
function gptWeights(checkpoint: Checkpoint, dtype: WeightDtype): NamedBytes[] {
  const { gptConfig, gpt } = checkpoint;
  if (!gptConfig || !gpt) return [];
  const weights = gptWeightShapes(gptConfig).map(({ name, shape }) => {
    const count = shape.reduce((n, d) => n * d, 1);
    const matrixBits = TABLES.has(name) ? TABLE_BITS[dtype] : MATRIX_BITS[dtype];
    const bits = shape.length === 1 ? 32 : matrixBits;
    return { name: `"${name}"`, count, bytes: Math.ceil((count * bits) / 8) };
  });
  // A text model has other conditions than the class table.
  const more = gpt.parameters - weights.reduce((sum, { count }) => sum + count, 0);
  const condition = { name: 'the condition', bytes: Math.ceil((more * TABLE_BITS[dtype]) / 8) };
  return more === 0 ? weights : [...weights, condition];
}

/** Buffers beside the weights, which depend on the grid and not on the storage type. */
function runtimeBuffers({ gptConfig, vqConfig, grid, conditionTokens }: Checkpoint) {
  const precision = { variant: PORTABLE, weightDtype: 'f32', kvDtype: 'f32' } as const;
  const gpt = new Graph();
  const kept = gptConfig && gptDecoder(gpt, gptConfig, ONE_GUIDED_IMAGE, precision);
  const vq = new Graph();
  const side = grid ?? TOKENIZER_PIXELS / downsampleOf(vqConfig);
  const { rgba } = vqDecoder(vq, vqConfig, { images: 1, height: side, width: side }, precision);
  // Captions lengthen the KV cache, which is nearly all of the state.
  const longer = gptConfig
    ? (gptConfig.blockSize + conditionTokens) / (gptConfig.blockSize + 1)
    : 1;
  const states = [...gpt.residents, ...vq.residents]
    .filter(({ life }) => life === 'state')
    .map((tensor: Tensor) => ({
      name: `state "${tensor.name}"`,
      bytes: Math.ceil(byteLength(tensor) * longer),
    }));
  const temps = [
    ...plan(gpt.nodes, new Set(kept ? [kept.logits, kept.probs] : [])).slots,
    ...plan(vq.nodes, new Set([rgba])).slots,
  ].map((bytes) => ({ name: 'a result between kernels', bytes }));
  const sum = (list: readonly NamedBytes[]): number => list.reduce((n, { bytes }) => n + bytes, 0);
  return { buffers: [...states, ...temps], state: sum(states), temp: sum(temps) };
}

function largest(list: readonly NamedBytes[]): NamedBytes {
  return list.reduce((a, b) => (b.bytes > a.bytes ? b : a), { name: 'nothing', bytes: 0 });
}

/** Bytes on disk of a model folder with its weights in `dtype`. */
export function folderBytes(checkpoint: Checkpoint, dtype: 'f32' | 'bf16' | 'f16'): number {
  return filesOf(checkpoint).reduce((sum, { kind, parameters }) => {
    // The official tokenizer always runs in f32.
    const bytes = kind === 'vq' || dtype === 'f32' ? 4 : 2;
    return sum + bytes * parameters;
  }, 0);
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
