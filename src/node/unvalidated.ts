/** Devices without Dawn's validation, for real GPUs: one with it accepts every kernel before. */
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Kernel } from '../../kernels/kernel.ts';
import { deviceDescriptor } from '../gpu/device.ts';
import { findMatrices } from '../gpu/find-matrices.ts';
import { knowMatrices, type Matrices } from '../gpu/matrices.ts';
import { pipelineFor } from '../gpu/pipelines.ts';
import { guardDevice } from '../gpu/unvalidated.ts';
import { adapterKey } from '../tune/adapter-key.ts';
import { VERSION } from '../version.ts';
import { acceptedPath, readAccepted, writeAccepted } from './accepted-file.ts';

/** Two adapters of one GPU. */
export interface Adapters {
  /** Of an instance of Dawn that validates. */
  readonly validating: GPUAdapter;
  /** Of one that does not. */
  readonly fast: GPUAdapter;
  /** The other flags of both. */
  readonly toggles: readonly string[];
}

export interface Unvalidated {
  readonly device: GPUDevice;
  readonly matrices: Matrices;
  /** Destroys it, and the one that validates. */
  close(): void;
}

/**
 * Opens a device without validation. What it is to compile is compiled on a device with validation
 * first, and the matrices of subgroups are tried there; both are remembered in a file by adapter, driver
 * and versions, so that later runs need no second device.
 * @throws what `requestDevice` throws.
 */
export async function openUnvalidated(
  { validating, fast, toggles }: Adapters,
  path: string = acceptedPath(),
): Promise<Unvalidated> {
  const device = await fast.requestDevice(deviceDescriptor(fast));
  // Another version may try matrices otherwise.
  const versions = [`llamagen ${VERSION}`, `dawn ${dawnVersion()}`];
  const adapter = adapterKey(device, [...versions, ...toggles]);
  const known = readAccepted(path, adapter);
  let judge: Promise<GPUDevice> | undefined;
  const opened = (): Promise<GPUDevice> => {
    judge ??= validating.requestDevice(deviceDescriptor(validating));
    return judge;
  };
  const close = (): void => {
    device.destroy();
    judge?.then(
      (other) => other.destroy(),
      () => {},
    );
  };
  try {
    const matrices = known?.matrices ?? (await findMatrices(await opened()));
    knowMatrices(device, matrices);
    const remember = (kernels: readonly string[]): void => {
      try {
        writeAccepted(path, adapter, { matrices, kernels });
      } catch {
        // A folder that cannot be written: they are tried again the next time.
      }
    };
    guardDevice(device, acceptor(opened, new Set(known?.kernels), remember));
    return { device, matrices, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Compiles each text once on the device that validates, unless it is known. */
function acceptor(
  opened: () => Promise<GPUDevice>,
  known: ReadonlySet<string>,
  remember: (kernels: readonly string[]) => void,
): (kernel: Kernel) => Promise<void> {
  const fresh: string[] = [];
  let waiting = 0;
  return async (kernel) => {
    const digest = createHash('sha256').update(kernel.code).digest('hex').slice(0, 20);
    if (known.has(digest)) return;
    waiting++;
    try {
      await pipelineFor(await opened(), kernel);
      fresh.push(digest);
    } finally {
      waiting--;
    }
    // Once for all kernels of a program.
    if (waiting === 0) remember(fresh.splice(0));
  };
}

/** Another version of Dawn may accept something else. */
function dawnVersion(): string {
  const { version }: { version?: unknown } = createRequire(import.meta.url)('webgpu/package.json');
  return String(version);
}
