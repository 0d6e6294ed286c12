/** Networks of any size with random weights: no size needs a download. */
import type { Memory } from '../src/gpu/memory.ts';
import { Filler } from '../src/gpu/random.ts';
import { watchDevice } from '../src/gpu/watch.ts';
import { Graph } from '../src/graph/graph.ts';
import { byteLength, type Tensor } from '../src/graph/tensor.ts';
import type { Network } from '../src/load/network.ts';
import type { Precision } from '../src/models/precision.ts';
import { weightSpread } from './gpu/inputs.ts';

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
    ...{ config, precision, memory, weights, watch: watchDevice(memory.device), flushedValues: 0 },
    exclusive: (work) => work(),
    kept: (_, __, build) => build(),
  };
}
