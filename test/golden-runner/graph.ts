/** Runs a graph once over weights that are loaded already. */
import type { Memory } from '../../src/gpu/memory.ts';
import { build } from '../../src/gpu/program.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { watchDevice } from '../../src/gpu/watch.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { byteLength, type Tensor } from '../../src/graph/tensor.ts';

/** What a state holds before the run. */
export type Input = readonly [Tensor, Float32Array | Int32Array | Uint32Array];

/** Reads a tensor back as floats, or as unsigned integers. */
export interface Results {
  floats(tensor: Tensor): Promise<Float32Array>;
  integers(tensor: Tensor): Promise<Uint32Array>;
}

export async function runGraph(
  memory: Memory,
  weights: ReadonlyMap<string, GPUBufferBinding>,
  g: Graph,
  inputs: readonly Input[],
  keep: readonly Tensor[],
): Promise<Results> {
  const watch = watchDevice(memory.device);
  const program = await watch.race(build(memory, g, { weights, keep }));
  for (const [tensor, data] of inputs) {
    const bytes = new Uint8Array(data.slice().buffer);
    memory.device.queue.writeBuffer(program.bufferOf(tensor), 0, bytes);
  }
  program.run();
  const read = (t: Tensor): Promise<ArrayBuffer> =>
    watch.race(readBuffer(memory, program.bufferOf(t), byteLength(t)));
  return {
    floats: async (t) => new Float32Array(await read(t)),
    integers: async (t) => new Uint32Array(await read(t)),
  };
}
