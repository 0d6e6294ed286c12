/** Networks of any size with random weights, made on the GPU. */

import type { Memory } from '../../src/gpu/memory.ts';
import { watchDevice } from '../../src/gpu/watch.ts';
import { Graph } from '../../src/graph/graph.ts';
import { byteLength, type Tensor } from '../../src/graph/tensor.ts';
import type { Network } from '../../src/load/network.ts';
import type { Precision } from '../../src/models/precision.ts';
import { type FilledDType, fill } from './fill.ts';
import { weightSpread } from './inputs.ts';

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
  const g = new Graph();
  define(g);
  const tensors = g.residents.filter(({ life }) => life === 'weight');
  const byName = new Map(tensors.map((t) => [t.name, t]));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const weights = await memory.checked('allocating random weights', () => {
    const made = tensors.map((t): [string, GPUBufferBinding] => {
      const size = byteLength(t);
      return [t.name, { buffer: memory.create('weights', t.name, size, usage), size }];
    });
    return new Map(made);
  });
  for (const [i, tensor] of tensors.entries()) {
    const target = weights.get(tensor.name);
    if (target)
      await fill(memory, target, tensor.dtype as FilledDType, i, spreadOf(tensor, byName));
  }
  await memory.device.queue.onSubmittedWorkDone();
  return {
    ...{ config, precision, memory, weights, watch: watchDevice(memory.device), flushedValues: 0 },
    exclusive: (work) => work(),
    kept: (_, __, build) => build(),
  };
}

function spreadOf(tensor: Tensor, byName: ReadonlyMap<string, Tensor>) {
  const scaled = tensor.origin?.scales && byName.get(tensor.name.replace(/\.scales$/, ''));
  return weightSpread(tensor.name, tensor, scaled || undefined);
}

/** Bytes of the weights of those graphs. */
export function weightBytes(define: (g: Graph) => void): number {
  const g = new Graph();
  define(g);
  return g.residents
    .filter(({ life }) => life === 'weight')
    .reduce((sum, t) => sum + byteLength(t), 0);
}
