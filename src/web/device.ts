/** Opens a WebGPU device in a browser's page or worker. */
import { DeviceError } from '../errors.ts';
import { deviceDescriptor } from '../gpu/device.ts';
import { findMatrices } from '../gpu/find-matrices.ts';
import { adapterFacts } from '../gpu/variants.ts';
import { catchStrayErrors } from '../gpu/watch.ts';

export interface WebDeviceOptions {
  /** Which GPU of several. Default `high-performance`. */
  readonly powerPreference?: GPUPowerPreference | undefined;
}

export interface WebDevice {
  readonly device: GPUDevice;
  readonly adapter: GPUAdapter;
  /** Lines a user should see. */
  readonly notes: readonly string[];
  /** Whether the adapter computes on the CPU. */
  readonly software: boolean;
  close(): void;
}

/**
 * Opens a device with every optional feature this project uses.
 * @throws DeviceError (`no-adapter`) that says whether the page, the browser or the GPU is the cause.
 */
export async function openWebDevice(options: WebDeviceOptions = {}): Promise<WebDevice> {
  // The types promise it; browsers without WebGPU and pages without https do not have it.
  const gpu: GPU | undefined = navigator.gpu;
  if (!gpu) throw new DeviceError('no-adapter', absence());
  const { powerPreference = 'high-performance' } = options;
  const adapter = await gpu.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new DeviceError(
      'no-adapter',
      'the browser has WebGPU but offers no GPU: its driver may be missing or on the blocklist, or hardware acceleration is off in the settings (Chrome: chrome://gpu says why)',
    );
  }
  try {
    const device = await adapter.requestDevice(deviceDescriptor(adapter));
    catchStrayErrors(device);
    const { note } = await findMatrices(device);
    const { software } = adapterFacts(device);
    const notes = note === undefined ? [] : [note];
    return { device, adapter, notes, software, close: () => device.destroy() };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DeviceError('no-adapter', `the adapter gives no device: ${reason}`, { cause });
  }
}

/** Why there is no `navigator.gpu`. */
function absence(): string {
  if (!globalThis.isSecureContext) {
    return 'no WebGPU: browsers offer it to secure pages only, so open this one over https or from localhost';
  }
  return 'this browser has no WebGPU: use a current Chrome, Edge, Firefox or Safari (in Chrome on Linux it may need chrome://flags/#enable-unsafe-webgpu)';
}
