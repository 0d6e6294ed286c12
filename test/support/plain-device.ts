/** A device as a page has it that asks for nothing. */
import { type NodeDevice, openDevice } from '../../src/node/device.ts';

/** A device of which no limit was asked for: it binds 128 MiB. */
export async function openPlain(): Promise<NodeDevice> {
  const { prototype } = GPUAdapter;
  const { requestDevice } = prototype;
  prototype.requestDevice = function (descriptor) {
    return requestDevice.call(this, { ...descriptor, requiredLimits: {} });
  };
  try {
    return await openDevice();
  } finally {
    prototype.requestDevice = requestDevice;
  }
}
