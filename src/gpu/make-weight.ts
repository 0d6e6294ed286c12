/** Weights that a kernel makes of stored tensors while they are loaded. */
import { bind } from '../../kernels/compile.ts';
import { byteLength } from '../graph/tensor.ts';
import { pipelineFor } from './pipelines.ts';
import type { Job, Place } from './upload-plan.ts';

/** Queues the making of a job's weight, once all of its values are written. */
export type Making = (job: Job) => void;

/** Compiles what makes the weights of some jobs. */
export async function makersFor(
  device: GPUDevice,
  jobs: readonly Job[],
  buffers: readonly GPUBuffer[],
): Promise<Making> {
  const kernels = new Set(jobs.flatMap(({ made }) => made?.tensor.madeBy ?? []));
  const pipelines = new Map(
    await Promise.all(
      [...kernels].map(async (kernel) => [kernel, await pipelineFor(device, kernel)] as const),
    ),
  );
  const bindingOf = ({ tensor, buffer, offset }: Place): GPUBufferBinding => ({
    ...{ buffer: buffers[buffer] as GPUBuffer, offset, size: byteLength(tensor) },
  });
  return ({ values, made }) => {
    const kernel = made?.tensor.madeBy;
    const pipeline = kernel && pipelines.get(kernel);
    if (!made || !pipeline) return;
    const bound = { weight: bindingOf(values), out: bindingOf(made) };
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bind(device, kernel, pipeline, bound));
    pass.dispatchWorkgroups(...kernel.workgroups);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}
