/** One device per test process, closed when the process ends. */
import { type NodeDevice, openDevice } from '../../src/node/device.ts';
import type { Tiles } from '../../src/ops/tiles.ts';

let opened: Promise<NodeDevice> | undefined;

/** The device every GPU test shares; what was measured on this machine has no part in tests. */
export async function testDevice(): Promise<GPUDevice> {
  opened ??= openDevice({ tuned: false });
  return (await opened).device;
}

/** The tiles that the variable LLAMAGEN_VARIANT forces, for the models that a test loads. */
export async function testTiles(): Promise<Tiles> {
  opened ??= openDevice({ tuned: false });
  return (await opened).tiles;
}
