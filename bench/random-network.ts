/** Networks of any size with random weights: no size needs a download. */
import type { Binding, MatrixDType } from '../kernels/kernel.ts';
import type { Memory } from '../src/gpu/memory.ts';
import { Filler, type Spread } from '../src/gpu/random.ts';
import { watchDevice } from '../src/gpu/watch.ts';
import { Graph } from '../src/graph/graph.ts';
import { byteLength, type Tensor } from '../src/graph/tensor.ts';
import type { Network } from '../src/load/network.ts';
import type { Precision } from '../src/models/precision.ts';

type Stored = Pick<Binding, 'dtype' | 'shape'>;

const rowLength = ({ shape }: Stored): number => shape.slice(1).reduce((n, d) => n * d, 1);

/** Standard deviation of quants of the whole range: odd bytes, and nibbles from -8 to 7. */
const QUANT_STD = { int8: 73.9, int4: 4.61 } as const;

/** Floats, or scales of quants, that make sums over `inDim` values about as large as the values. */
function scaleSpread(inDim: number, dtype: MatrixDType): Spread {
  const std = 1 / Math.sqrt(inDim);
  if (dtype !== 'int8' && dtype !== 'int4') return { centre: 0, spread: std * Math.sqrt(3) };
  const scale = std / QUANT_STD[dtype];
  return { centre: scale, spread: scale / 10 };
}

/**
 * What a weight is filled with, by name, dtype and shape.
 * @param quants The weight that these are the scales of.
 */
export function weightSpread(name: string, { dtype, shape }: Stored, quants?: Stored): Spread {
  if (quants) return scaleSpread(rowLength(quants), quants.dtype as MatrixDType);
  if (name.endsWith('bias')) return { centre: 0, spread: 0.1 };
  if (shape.length === 1) return { centre: 1, spread: 0.1 };
  return { centre: 0, spread: Math.sqrt(3 / rowLength({ dtype, shape })) };
}

/** The weights of the graph that `define` makes. */
function weightsOf(define: (g: Graph) => void): Tensor[] {
  const g = new Graph();
  define(g);
  return g.residents.filter(({ life }) => life === 'weight');
}

/** Bytes of the weights of that graph. */
export const weightBytes = (define: (g: Graph) => void): number =>
  weightsOf(define).reduce((sum, t) => sum + byteLength(t), 0);

/**
 * A network for programs of the graphs that `define` makes. Values have the size that those of
 * trained networks have: gains near 1, sums about as large as what they sum.
 * @throws DeviceError when the device has not the memory.
 */
export async function randomNetwork<Config>(
  memory: Memory,
  config: Config,
  precision: Precision,
  define: (g: Graph) => void,
): Promise<Network<Config>> {
  const tensors = weightsOf(define);
  const byName = new Map(tensors.map((t) => [t.name, t]));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const filler = new Filler(memory);
  const weights = await memory.checked('making random weights', () => {
    const made = new Map<string, GPUBufferBinding>();
    for (const [seed, tensor] of tensors.entries()) {
      const { name, dtype } = tensor;
      const size = byteLength(tensor);
      const target = { buffer: memory.create('weights', name, size, usage), size };
      const scaled = tensor.origin?.scales && byName.get(name.replace(/\.scales$/, ''));
      filler.fill(target, dtype, weightSpread(name, tensor, scaled || undefined), seed);
      made.set(name, target);
    }
    return made;
  });
  filler.destroy();
  await memory.device.queue.onSubmittedWorkDone();
  return {
    ...{
      config,
      precision,
      memory,
      weights,
      watch: watchDevice(memory.device),
      ...{ flushedValues: 0, weightsDigest: 'random' },
    },
    exclusive: (work) => work(),
    cached: (_, __, build) => build(),
  };
}
