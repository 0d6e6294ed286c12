/** A device as a page has it that asks for nothing. */
import { globals } from 'webgpu';
import { type NodeDevice, openDevice } from '../../src/node/device.ts';

/**
 * A device of which no feature and no limit was asked for: WebGPU's defaults, without subgroups and halves,
 * with bindings of 128 MiB.
 */
export async function openPlain(): Promise<NodeDevice> {
  Object.assign(globalThis, globals);
  const { prototype } = GPUAdapter;
  const { requestDevice } = prototype;
  prototype.requestDevice = function () {
    return requestDevice.call(this);
  };
  try {
    return await openDevice({ tuned: false });
  } finally {
    prototype.requestDevice = requestDevice;
  }
}
