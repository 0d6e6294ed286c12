/** Time of work on the device: by its timestamps, else by the clock of the host around a submit. */
import type { Memory } from './memory.ts';
import { hasTimestamps, Timeline } from './timeline.ts';

/** Records dispatches into a compute pass. */
export type Encode = (pass: GPUComputePassEncoder) => void;

export interface Stopwatch {
  readonly method: 'timestamps' | 'host clock';
  /** Runs what `encode` records in one compute pass and says how long the device took, microseconds. */
  time(encode: Encode): Promise<number>;
  /** Frees what it holds on the device. */
  destroy(): void;
}

/** The best stopwatch that a device has. The host's clock counts the way to the device too. */
export async function stopwatch(memory: Memory): Promise<Stopwatch> {
  return hasTimestamps(memory.device)
    ? deviceStopwatch(memory)
    : { method: 'host clock', time: (encode) => timeOnHost(memory, encode), destroy() {} };
}

async function timeOnHost(memory: Memory, encode: Encode): Promise<number> {
  const { device } = memory;
  const commands = await memory.checked('stopwatch', () => {
    const encoder = device.createCommandEncoder({ label: 'stopwatch' });
    const pass = encoder.beginComputePass();
    encode(pass);
    pass.end();
    return encoder.finish();
  });
  await device.queue.onSubmittedWorkDone();
  const started = performance.now();
  const accepted = memory.checked('stopwatch', () => device.queue.submit([commands]));
  await Promise.all([accepted, device.queue.onSubmittedWorkDone()]);
  return (performance.now() - started) * 1000;
}

async function deviceStopwatch(memory: Memory): Promise<Stopwatch> {
  const { device } = memory;
  const timeline = await memory.make('timeline', () => new Timeline(memory, 1));
  return {
    method: 'timestamps',
    async time(encode) {
      const timestampWrites = timeline.next();
      await memory.checked('stopwatch', () => {
        const encoder = device.createCommandEncoder({ label: 'stopwatch' });
        const pass = encoder.beginComputePass(timestampWrites && { timestampWrites });
        encode(pass);
        pass.end();
        device.queue.submit([encoder.finish()]);
      });
      const [{ beginUs, endUs } = { beginUs: 0, endUs: 0 }] = await timeline.read();
      return endUs - beginUs;
    },
    destroy: () => timeline.destroy(),
  };
}
