/** Time of work on the device: by its timestamps, else by the clock of the host around a submit. */
import type { Memory } from './memory.ts';
import { readBuffer } from './readback.ts';

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
export function stopwatch(memory: Memory): Stopwatch {
  return memory.device.features.has('timestamp-query')
    ? deviceStopwatch(memory)
    : { method: 'host clock', time: (encode) => timeOnHost(memory, encode), destroy() {} };
}

async function timeOnHost({ device }: Memory, encode: Encode): Promise<number> {
  const encoder = device.createCommandEncoder({ label: 'stopwatch' });
  const pass = encoder.beginComputePass();
  encode(pass);
  pass.end();
  const commands = encoder.finish();
  await device.queue.onSubmittedWorkDone();
  const started = performance.now();
  device.queue.submit([commands]);
  await device.queue.onSubmittedWorkDone();
  return (performance.now() - started) * 1000;
}

function deviceStopwatch(memory: Memory): Stopwatch {
  const { device } = memory;
  const querySet = device.createQuerySet({ label: 'stopwatch', type: 'timestamp', count: 2 });
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const resolved = memory.create('staging', 'stopwatch', 16, usage);
  const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  return {
    method: 'timestamps',
    async time(encode) {
      const encoder = device.createCommandEncoder({ label: 'stopwatch' });
      const pass = encoder.beginComputePass({ timestampWrites });
      encode(pass);
      pass.end();
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      device.queue.submit([encoder.finish()]);
      const [begin = 0n, end = 0n] = new BigUint64Array(await readBuffer(memory, resolved));
      return Number(end - begin) / 1000;
    },
    destroy() {
      querySet.destroy();
      memory.free([resolved]);
    },
  };
}
