/** A device with room for so many bytes of some buffers and no more, on top of another. */

interface Scope {
  readonly filter: GPUErrorFilter;
  error: GPUError | null;
}

/** The same device; buffers of a label above `mostBytes` at once are out of memory. */
export function fullDevice(
  real: GPUDevice,
  mostBytes: number,
  label: RegExp = /^weights/,
): GPUDevice {
  const scopes: Scope[] = [];
  let used = 0;
  const own: Partial<GPUDevice> = {
    pushErrorScope(filter) {
      scopes.push({ filter, error: null });
      return real.pushErrorScope(filter);
    },
    async popErrorScope() {
      const scope = scopes.pop();
      const error = await real.popErrorScope();
      return scope?.error ?? error;
    },
    createBuffer(descriptor) {
      const buffer = real.createBuffer(descriptor);
      if (!label.test(descriptor.label ?? '')) return buffer;
      const scope = scopes.findLast(({ filter }) => filter === 'out-of-memory');
      if (used + descriptor.size > mostBytes && scope) {
        scope.error = new GPUOutOfMemoryError(`no room for ${descriptor.size} bytes`);
      }
      used += descriptor.size;
      const destroy = buffer.destroy.bind(buffer);
      buffer.destroy = () => {
        used -= descriptor.size;
        return destroy();
      };
      return buffer;
    },
  };
  return new Proxy(real, {
    get(target, key) {
      const value: unknown = Reflect.get(own, key) ?? Reflect.get(target, key, target);
      return typeof value === 'function' && !(key in own) ? value.bind(target) : value;
    },
  });
}
