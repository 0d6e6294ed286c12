/** What an official model takes on a GPU at each storage type, known before anything is downloaded. */
import { isQuantised, quantGroups } from '../../kernels/lib/quants.ts';
import { Graph } from '../graph/graph.ts';
import { plan } from '../graph/plan.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import { gptDecoder } from '../models/gpt.ts';
import { gptWeightShapes } from '../models/gpt-config.ts';
import { downsampleOf, vqParameterCount } from '../models/vq-config.ts';
import { vqDecoder } from '../models/vq-decoder.ts';
import type { WantedTensor } from '../weights/join.ts';
import { storageOf } from '../weights/quantize.ts';
import type { Checkpoint } from './checkpoints.ts';

/** Storage of a decoder's matrices on the device. */
export const WEIGHT_DTYPES = ['f32', 'bf16', 'f16', 'int8', 'int4'] as const;
export type WeightDtype = (typeof WEIGHT_DTYPES)[number];

/** One image is decoded at a time, and one made with guidance has two rows. */
const ONE_GUIDED_IMAGE = { rows: 2, slots: 2 } as const;

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
  /** The largest buffer that is not a weight; weights are cut into parts that fit. */
  readonly largestBuffer: NamedBytes;
}

/** What decides how much memory a model takes. */
export type Sized = Pick<Checkpoint, 'gptConfig' | 'vqConfig' | 'grid'>;

/** The types that make a difference: a tokenizer alone is always f32. */
export function dtypesOf(checkpoint: Sized): readonly WeightDtype[] {
  return checkpoint.gptConfig ? WEIGHT_DTYPES : ['f32'];
}

type MemoryByDtype = ReadonlyMap<WeightDtype, CheckpointMemory>;

/** Graphs of all official models take a second to build. */
const known = new WeakMap<Sized, MemoryByDtype>();

/** What a model takes at every storage type. */
export function checkpointMemory(checkpoint: Sized): MemoryByDtype {
  const memory = known.get(checkpoint) ?? computeMemory(checkpoint);
  known.set(checkpoint, memory);
  return memory;
}

function computeMemory(checkpoint: Sized): MemoryByDtype {
  const vqWeights = 4 * vqParameterCount(checkpoint.vqConfig, 'decoder');
  const { buffers, state, temp } = runtimeBuffers(checkpoint);
  return new Map(
    dtypesOf(checkpoint).map((dtype) => {
      const weights = vqWeights + gptBytes(checkpoint, dtype);
      return [
        dtype,
        {
          weights,
          state,
          temp,
          total: weights + state + temp,
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
  readonly memoryBytes?: number | undefined;
}

/** Why an adapter cannot hold a model at some storage type; undefined when nothing speaks against it. */
export function roomProblem(
  memory: Pick<CheckpointMemory, 'total' | 'largestBuffer'>,
  room: AdapterRoom,
): string | undefined {
  const names = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;
  const { name, bytes } = memory.largestBuffer;
  for (const limit of names) {
    if (bytes <= room[limit]) continue;
    return `${name} takes ${megabytes(bytes)}, and ${limit} of this adapter is ${megabytes(room[limit])}`;
  }
  const { memoryBytes = Number.POSITIVE_INFINITY } = room;
  if (memory.total <= memoryBytes) return undefined;
  return `it takes ${megabytes(memory.total)}, and this adapter has ${megabytes(memoryBytes)} of memory`;
}

/** All weights of the decoder. */
function gptBytes({ gptConfig }: Sized, dtype: WeightDtype): number {
  if (!gptConfig) return 0;
  const shapes = gptWeightShapes(gptConfig);
  return shapes.reduce((sum, weight) => sum + weightBytes(weight, dtype), 0);
}

/** One weight as it is stored on the device; norms stay f32. */
function weightBytes({ name, shape }: WantedTensor, dtype: WeightDtype): number {
  if (shape.length === 1) return byteLength({ dtype: 'f32', shape });
  const storage = isQuantised(dtype) ? storageOf(name, dtype, 'bf16') : dtype;
  const values = byteLength({ dtype: storage, shape });
  if (!isQuantised(storage)) return values;
  const [rows = 1, inDim = 1] = shape;
  return values + byteLength({ dtype: 'f16', shape: [rows, quantGroups(storage, inDim)] });
}

/** Buffers beside the weights, which depend on the grid and not on the storage type. */
function runtimeBuffers({ gptConfig, vqConfig, grid }: Sized) {
  const precision = { variant: PORTABLE, dtype: 'f32', kvDtype: 'f32' } as const;
  const gpt = new Graph();
  if (gptConfig) gptDecoder(gpt, gptConfig, ONE_GUIDED_IMAGE, precision);
  const vq = new Graph();
  const side = grid ?? TOKENIZER_PIXELS / downsampleOf(vqConfig);
  const { rgba } = vqDecoder(vq, vqConfig, { images: 1, height: side, width: side }, precision);
  const states = [...gpt.residents, ...vq.residents]
    .filter(({ life }) => life === 'state')
    .map((tensor: Tensor) => ({
      name: `state "${tensor.name}"`,
      bytes: byteLength(tensor),
    }));
  const temps = [...plan(gpt.nodes).slots, ...plan(vq.nodes, new Set([rgba])).slots].map(
    (bytes) => ({ name: 'a result between kernels', bytes }),
  );
  const sum = (list: readonly NamedBytes[]): number => list.reduce((n, { bytes }) => n + bytes, 0);
  return { buffers: [...states, ...temps], state: sum(states), temp: sum(temps) };
}

function largest(list: readonly NamedBytes[]): NamedBytes {
  return list.reduce((a, b) => (b.bytes > a.bytes ? b : a), { name: 'nothing', bytes: 0 });
}

/** Bytes on disk of a model folder with its decoder in `dtype`; the tokenizer is f32 always, a T5 bf16. */
export function folderBytes(checkpoint: Checkpoint, dtype: WeightDtype): number {
  const { vq, t5 } = checkpoint;
  return 4 * vq.parameters + gptBytes(checkpoint, dtype) + 2 * (t5?.parameters ?? 0);
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
