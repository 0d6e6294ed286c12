/** One device per test process, closed when the process ends. */
import { type NodeDevice, openDevice } from '../../src/node/device.ts';

let opened: Promise<NodeDevice> | undefined;

/** The device every GPU test shares. */
export async function testDevice(): Promise<GPUDevice> {
  opened ??= openDevice();
  return (await opened).device;
}
