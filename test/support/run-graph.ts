/** Runs a graph once on weights from a file, for tests of models. */
import { readFileSync } from 'node:fs';
import { Memory } from '../../src/gpu/memory.ts';
import { build } from '../../src/gpu/program.ts';
import { readBuffer } from '../../src/gpu/readback.ts';
import { uploadWeights } from '../../src/gpu/upload.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { elementCount, type Tensor } from '../../src/graph/tensor.ts';
import { openSafetensors, type Safetensors } from '../../src/weights/safetensors.ts';
import { memorySource } from '../../src/weights/source.ts';
import type { Array1 } from './run-kernel.ts';

/** The weights of a case of test/golden, in the dtypes of the file. */
export function goldenWeights(name: string): Promise<Safetensors> {
  const url = new URL(`../golden/${name}/model.safetensors`, import.meta.url);
  return openSafetensors(memorySource(`${name}/model.safetensors`, readFileSync(url)));
}

/**
 * Builds the graph, writes the states, runs it and reads the tensors of `read`. Everything is freed
 * before it returns.
 */
export async function runGraph<K extends string>(
  device: GPUDevice,
  g: Graph,
  weights: Safetensors,
  states: readonly (readonly [Tensor, ArrayLike<number>])[],
  read: Readonly<Record<K, Tensor>>,
): Promise<Record<K, Array1>> {
  const memory = new Memory(device);
  try {
    const wanted = g.residents.filter(({ life }) => life === 'weight');
    const program = await build(memory, g, {
      weights: await uploadWeights(memory, weights, wanted),
      keep: Object.values<Tensor>(read),
    });
    for (const [tensor, values] of states) {
      device.queue.writeBuffer(program.bufferOf(tensor), 0, typed(tensor, values));
    }
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    program.encode(pass);
    pass.end();
    await memory.checked('running the graph', () => device.queue.submit([encoder.finish()]));
    const result: Partial<Record<K, Array1>> = {};
    for (const name of Object.keys(read) as K[]) {
      const tensor = read[name];
      const bytes = elementCount(tensor.shape) * 4;
      const buffer = await readBuffer(memory, program.bufferOf(tensor), bytes);
      result[name] = tensor.dtype === 'u32' ? new Uint32Array(buffer) : new Float32Array(buffer);
    }
    return result as Record<K, Array1>;
  } finally {
    memory.freeAll();
  }
}

function typed(
  { name, dtype, shape }: Tensor,
  values: ArrayLike<number>,
): Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  if (values.length !== elementCount(shape)) {
    throw new Error(`"${name}" expected ${elementCount(shape)} values, got ${values.length}`);
  }
  return dtype === 'u32' ? Uint32Array.from(values) : Float32Array.from(values);
}
