/** Pipelines by shader text: the same text is compiled once per device, by whichever program asks first. */
import { compile, sharedText } from '../../kernels/compile.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { accepted } from './unvalidated.ts';

const caches = new WeakMap<GPUDevice, Map<string, Promise<GPUComputePipeline>>>();

/** The pipeline of a kernel; compilations of different texts run side by side. */
export function pipelineFor(device: GPUDevice, kernel: Kernel): Promise<GPUComputePipeline> {
  const cache = caches.get(device) ?? new Map<string, Promise<GPUComputePipeline>>();
  caches.set(device, cache);
  const key = sharedText(kernel.code);
  const known = cache.get(key);
  if (known) return known;
  const pipeline = accepted(device, kernel).then(() => compile(device, kernel));
  cache.set(key, pipeline);
  pipeline.catch(() => cache.delete(key)); // the next who asks may have more luck
  return pipeline;
}
