/** A micro-kernel of the bench with its buffers. */
import { bind } from '../../kernels/compile.ts';
import { byteLength } from '../../kernels/cost.ts';
import type { Binding, Kernel } from '../../kernels/kernel.ts';
import type { Memory } from '../../src/gpu/memory.ts';
import { pipelineFor } from '../../src/gpu/pipelines.ts';

const USAGE = (): number =>
  GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;

/** A buffer that kernels can bind and the host can read and write. */
export const storage = (memory: Memory, label: string, size: number): GPUBuffer =>
  memory.create('temp', label, size, USAGE());

/** One buffer for each binding of a kernel. */
export function buffersFor(memory: Memory, kernel: Kernel): Record<string, GPUBuffer> {
  return Object.fromEntries(
    Object.entries<Binding>(kernel.bindings).map(([name, binding]) => [
      name,
      storage(memory, `${kernel.label} ${name}`, byteLength(binding)),
    ]),
  );
}

export type Encode = (pass: GPUComputePassEncoder, index: number) => void;

/**
 * Compiles a kernel and binds it to each of several sets of buffers; dispatch `i` uses set `i` modulo
 * their number, so that caches do not hold what it reads.
 */
export async function launcher(
  memory: Memory,
  kernel: Kernel,
  sets: readonly Readonly<Record<string, GPUBuffer>>[],
): Promise<Encode> {
  const { device } = memory;
  const pipeline = await pipelineFor(device, kernel);
  const groups = sets.map((buffers) => {
    const bound = Object.entries<Binding>(kernel.bindings).map(([name, binding]) => {
      const buffer = buffers[name];
      if (!buffer) throw new RangeError(`${kernel.label}: no buffer for "${name}"`);
      return [name, { buffer, size: byteLength(binding) }] as const;
    });
    return bind(device, kernel, pipeline, Object.fromEntries(bound));
  });
  return (pass, index) => {
    const group = groups[index % groups.length];
    if (!group) throw new RangeError(`${kernel.label}: no buffers`);
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(...kernel.workgroups);
  };
}

/** Runs one dispatch. The work is queued behind what was submitted before. */
export function runOnce({ device }: Memory, encode: Encode): void {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  encode(pass, 0);
  pass.end();
  device.queue.submit([encoder.finish()]);
}
