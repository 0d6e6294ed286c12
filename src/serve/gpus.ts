/** Which GPUs workers of one machine take. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';

/** Where Mesa's layer that reorders the devices of every Vulkan driver says that it is there. */
const LAYERS = ['/usr/share/vulkan/implicit_layer.d', '/etc/vulkan/implicit_layer.d'];
const LAYER = /^VkLayer_MESA_device_select.*\.json$/;

export interface WorkerGpus {
  /** Environment of each worker. */
  readonly environments: readonly Readonly<Record<string, string>>[];
  /** What a user should know of it. */
  readonly note?: string | undefined;
}

/**
 * Gives every worker a GPU of its own where this machine has several, by their addresses on the bus, which
 * Mesa's layer reads. WebGPU itself cannot choose one of several equal GPUs.
 * @param root Of the file system; tests give others.
 */
export function gpusOf(workers: number, root = '/'): WorkerGpus {
  const gpus = busAddresses(root);
  if (workers === 1) return { environments: [{}] };
  const sharing = Array.from({ length: workers }, () => ({}));
  if (gpus.length < 2) {
    const note = `${workers} workers share one adapter, as this machine shows ${gpus.length === 0 ? 'no GPU' : 'one GPU'}: they survive each other, and are not faster than one`;
    return { environments: sharing, note };
  }
  if (!LAYERS.some((folder) => namesIn(join(root, folder)).some((name) => LAYER.test(name)))) {
    const note = `${workers} workers may share one GPU of ${gpus.length}: the Vulkan layer that gives each its own is missing (Debian, Ubuntu: mesa-vulkan-drivers)`;
    return { environments: sharing, note };
  }
  const environments = sharing.map((_, i) => ({
    DRI_PRIME: `pci-${gpus[i % gpus.length]?.replace(/[:.]/g, '_')}`,
  }));
  return {
    environments,
    ...(workers > gpus.length && { note: `${workers} workers share ${gpus.length} GPUs` }),
  };
}

/** Of all GPUs that can compute, such as `0000:01:00.0`, in the order of the bus. */
function busAddresses(root: string): string[] {
  const folder = join(root, 'sys/class/drm');
  const devices = namesIn(folder).filter((name) => name.startsWith('renderD'));
  const addresses = devices.flatMap((name) => {
    const device = join(folder, name, 'device');
    return existsSync(device) ? [basename(realpathSync(device))] : [];
  });
  return [...new Set(addresses)]
    .filter((a) => /^[\da-f]{4}:[\da-f]{2}:[\da-f]{2}\.\d$/.test(a))
    .sort();
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // no Linux, or a container that hides it
  }
}
