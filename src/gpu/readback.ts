/** Bytes back from the device: the only place that waits for a mapping. */
import { DeviceError } from '../errors.ts';
import type { Memory } from './memory.ts';

/**
 * Reads `size` bytes (a multiple of 4) of a buffer. Waits for all work submitted before.
 * @throws DeviceError when the device refuses, as for a buffer that was destroyed, or is lost.
 */
export async function readBuffer(
  memory: Memory,
  buffer: GPUBuffer,
  size: number = buffer.size,
  offset = 0,
): Promise<ArrayBuffer> {
  const { device } = memory;
  const what = `readback of ${buffer.label}`;
  const made: GPUBuffer[] = [];
  try {
    const { staging, mapped } = await memory.checked(what, () => {
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
      const staging = memory.create('staging', what, size, usage);
      made.push(staging);
      const encoder = device.createCommandEncoder({ label: what });
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      const mapped = staging.mapAsync(GPUMapMode.READ);
      mapped.catch(() => {}); // what the scopes say comes first
      return { staging, mapped };
    });
    await mapped.catch((cause: unknown) => {
      const message = `${what}: the GPU device was lost; open it and load again`;
      throw new DeviceError('lost', message, { cause });
    });
    return staging.getMappedRange().slice(0);
  } finally {
    memory.free(made);
  }
}
