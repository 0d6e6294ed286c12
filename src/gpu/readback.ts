/** Bytes back from the device: the only place that waits for a mapping. */
import type { Memory } from './memory.ts';

/** Reads `size` bytes (a multiple of 4) of a buffer. Waits for all work submitted before. */
export async function readBuffer(
  memory: Memory,
  buffer: GPUBuffer,
  size: number = buffer.size,
  offset = 0,
): Promise<ArrayBuffer> {
  const { device } = memory;
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const staging = memory.create('staging', `readback of ${buffer.label}`, size, usage);
  try {
    const encoder = device.createCommandEncoder({ label: staging.label });
    encoder.copyBufferToBuffer(buffer, offset, staging, 0, size);
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    return staging.getMappedRange().slice(0);
  } finally {
    memory.free([staging]);
  }
}
