/** The app's worker, on a device of which nothing was asked: WebGPU's default limits, no features. */
import { DeviceError } from '../../../src/web/index.ts';
import { serveWorker, type WorkerDevice } from '../../../src/web/worker/index.ts';

async function openPlainDevice(): Promise<WorkerDevice> {
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new DeviceError('no-adapter', 'there is no adapter');
  const device = await adapter.requestDevice();
  const notes = [...device.features].filter((feature) => feature !== 'core-features-and-limits');
  return { device, adapter, notes, software: true, close: () => device.destroy() };
}

serveWorker({ openDevice: openPlainDevice });
