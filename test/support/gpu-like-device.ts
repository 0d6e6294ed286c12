/** A device that says it is a GPU, for what the project does on GPUs alone. */

export interface GpuLike {
  readonly device: GPUDevice;
  /** Bind groups made so far: each program makes one for every dispatch. */
  readonly made: { groups: number };
  /** While it is set, no bind group can be made. */
  readonly fail: { with?: Error | undefined };
}

/** The same device, but for what its adapter says. Kernels without barriers are to be asked for. */
export function gpuLike(real: GPUDevice): GpuLike {
  const made = { groups: 0 };
  const fail: { with?: Error | undefined } = {};
  const createBindGroup = (descriptor: GPUBindGroupDescriptor): GPUBindGroup => {
    if (fail.with) throw fail.with;
    made.groups++;
    return real.createBindGroup(descriptor);
  };
  const { subgroupMinSize, subgroupMaxSize } = real.adapterInfo;
  const adapterInfo = { architecture: 'some', vendor: 'some', isFallbackAdapter: false };
  const replaced: Readonly<Record<string, unknown>> = {
    createBindGroup,
    adapterInfo: { ...adapterInfo, subgroupMinSize, subgroupMaxSize },
  };
  const device = new Proxy(real, {
    get(target, key) {
      if (typeof key === 'string' && key in replaced) return replaced[key];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { device, made, fail };
}
