/** A device that counts what it is given and keeps nothing: what is left is the memory of the host. */

/** Flags of WebGPU, which no driver defines here. */
const USAGE = { MAP_READ: 1, MAP_WRITE: 2, COPY_SRC: 4, COPY_DST: 8, STORAGE: 128 };

export interface DiscardingDevice {
  readonly device: GPUDevice;
  /** Bytes of all buffers, and bytes written into them. */
  readonly bytes: { created: number; written: number };
}

/** Only what loading weights calls. It binds what a hardware adapter does: 2 GiB less one word. */
export function discardingDevice(): DiscardingDevice {
  Object.assign(globalThis, { GPUBufferUsage: USAGE });
  const bytes = { created: 0, written: 0 };
  const limit = 2 ** 31 - 4;
  const device = {
    limits: {
      maxBufferSize: limit,
      maxStorageBufferBindingSize: limit,
      maxComputeInvocationsPerWorkgroup: 1024,
      maxComputeWorkgroupSizeX: 1024,
    },
    features: new Set(),
    adapterInfo: { architecture: '', isFallbackAdapter: false },
    lost: new Promise(() => {}),
    addEventListener() {},
    pushErrorScope() {},
    popErrorScope: async () => null,
    createBuffer({ label, size }: GPUBufferDescriptor) {
      bytes.created += size;
      return { label, size, destroy() {} };
    },
    queue: {
      writeBuffer(_: GPUBuffer, __: number, data: Uint8Array) {
        bytes.written += data.byteLength;
      },
      submit() {},
      onSubmittedWorkDone: async () => {},
    },
  };
  return { device: device as unknown as GPUDevice, bytes };
}
