/** A device on which some buffers cannot be had, beside others on the same device that can. */

/**
 * What becomes of a buffer.
 * - refused: it is not valid from the start.
 * - dropped: it is destroyed behind its owner's back.
 */
export type Fate = 'refused' | 'dropped';

export interface FailingDevice {
  readonly device: GPUDevice;
  /** Labels of its buffers that were not destroyed. */
  readonly left: ReadonlyMap<GPUBuffer, string>;
}

/** The same device, but for what it does with buffers of some labels. */
export function failingDevice(real: GPUDevice, label: RegExp, fate: Fate): FailingDevice {
  const left = new Map<GPUBuffer, string>();
  const createBuffer = (descriptor: GPUBufferDescriptor): GPUBuffer => {
    const name = descriptor.label ?? '';
    const hit = label.test(name);
    const both = GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE; // exclude each other
    const usage = hit && fate === 'refused' ? both : descriptor.usage;
    const buffer = real.createBuffer({ ...descriptor, usage });
    const destroy = buffer.destroy.bind(buffer);
    if (hit && fate === 'dropped') destroy();
    left.set(buffer, name);
    buffer.destroy = () => {
      left.delete(buffer);
      return destroy();
    };
    return buffer;
  };
  const device = new Proxy(real, {
    get(target, key) {
      if (key === 'createBuffer') return createBuffer;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { device, left };
}
