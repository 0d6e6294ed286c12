/** All an outside app needs to run one kernel on its own GPUDevice. */
import { assert, type Bindings, type Kernel } from './kernel.ts';

/**
 * Compiles one kernel for a device.
 * @throws RangeError when the device lacks a feature; Error with the offending WGSL line otherwise.
 */
export async function compile(device: GPUDevice, kernel: Kernel): Promise<GPUComputePipeline> {
  for (const feature of kernel.features ?? []) {
    assert(
      device.features.has(feature),
      `${kernel.label}: needs the device feature "${feature}", which this device was not created with`,
    );
  }
  // The scope keeps a text that does not compile from being reported twice: it is thrown below.
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: kernel.label, code: kernel.code });
  const closed = device.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  await closed;
  const error = messages.find((m) => m.type === 'error');
  if (error) {
    const line = kernel.code.split('\n')[error.lineNum - 1] ?? '';
    throw new Error(
      `${kernel.label}: WGSL ${error.lineNum}:${error.linePos}: ${error.message}\n  ${line.trim()}`,
    );
  }
  const layout = device.createBindGroupLayout({
    label: kernel.label,
    entries: Object.values(kernel.bindings).map(({ role }, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: role === 'in' ? ('read-only-storage' as const) : ('storage' as const) },
    })),
  });
  return device.createComputePipelineAsync({
    label: kernel.label,
    layout: device.createPipelineLayout({ label: kernel.label, bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: 'main' },
  });
}

/** Binds buffers by name. The type lists exactly the names this kernel needs. */
export function bind<B extends Bindings>(
  device: GPUDevice,
  kernel: Kernel<B>,
  pipeline: GPUComputePipeline,
  buffers: Readonly<Record<keyof B, GPUBufferBinding>>,
): GPUBindGroup {
  return device.createBindGroup({
    label: kernel.label,
    layout: pipeline.getBindGroupLayout(0),
    entries: Object.keys(kernel.bindings).map((name, binding) => ({
      binding,
      resource: buffers[name as keyof B],
    })),
  });
}
