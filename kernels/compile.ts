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
  const types: GPUBufferBindingType[] = Object.values(kernel.bindings).map(({ role }) =>
    role === 'in' ? 'read-only-storage' : 'storage',
  );
  if (kernel.sizes) types.push('uniform');
  const layout = device.createBindGroupLayout({
    label: kernel.label,
    entries: types.map((type, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type },
    })),
  });
  return device.createComputePipelineAsync({
    label: kernel.label,
    layout: device.createPipelineLayout({ label: kernel.label, bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: 'main' },
  });
}

/**
 * Binds buffers by name. The type lists exactly the names this kernel needs; its sizes, some bytes, get
 * a buffer that lives as long as the bind group.
 */
export function bind<B extends Bindings>(
  device: GPUDevice,
  kernel: Kernel<B>,
  pipeline: GPUComputePipeline,
  buffers: Readonly<Record<keyof B, GPUBufferBinding>>,
): GPUBindGroup {
  const resources: GPUBufferBinding[] = Object.keys(kernel.bindings).map(
    (name) => buffers[name as keyof B],
  );
  if (kernel.sizes) resources.push({ buffer: uniform(device, kernel) });
  return device.createBindGroup({
    label: kernel.label,
    layout: pipeline.getBindGroupLayout(0),
    entries: resources.map((resource, binding) => ({ binding, resource })),
  });
}

function uniform(device: GPUDevice, { label, sizes = {} }: Kernel): GPUBuffer {
  const values = Uint32Array.from(Object.values(sizes));
  const buffer = device.createBuffer({
    label: `${label} sizes`,
    size: values.byteLength,
    usage: GPUBufferUsage.UNIFORM,
    mappedAtCreation: true,
  });
  new Uint32Array(buffer.getMappedRange()).set(values);
  buffer.unmap();
  return buffer;
}
