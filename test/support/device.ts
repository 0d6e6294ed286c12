/** One device per test process, closed when the process ends. */
import { type KernelChoices, type NodeDevice, openDevice } from '../../src/node/device.ts';

let opened: Promise<NodeDevice> | undefined;

/** The device every GPU test shares; what was measured on this machine has no part in tests. */
export async function testDevice(): Promise<GPUDevice> {
  opened ??= openDevice({ tuned: false });
  return (await opened).device;
}

/** What the variable LLAMAGEN_VARIANT forces, for the models and kernels that a test makes. */
export async function testKernels(): Promise<KernelChoices> {
  opened ??= openDevice({ tuned: false });
  return (await opened).kernels;
}
