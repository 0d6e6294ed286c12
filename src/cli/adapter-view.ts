/** What an adapter can hold, for commands that need no device for long. */
import { totalmem } from 'node:os';
import type { AdapterRoom } from '../catalogue/checkpoint-memory.ts';
import { DeviceError } from '../errors.ts';
import { openDevice } from '../node/device.ts';
import { describeAdapter, type Report } from './report.ts';

/** An adapter as these commands see it. */
export interface AdapterView extends AdapterRoom {
  readonly description: string;
  readonly software: boolean;
}

/** Looks at the adapter; without one it says so and gives undefined. */
export async function viewAdapter(report: Report): Promise<AdapterView | undefined> {
  try {
    const { device, adapter, notes, software, close } = await openDevice();
    try {
      for (const note of notes) report.note(note);
      const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
      return {
        description: describeAdapter(adapter.info, software),
        software,
        maxBufferSize,
        maxStorageBufferBindingSize,
        // A software adapter computes in the memory of the machine.
        ...(software && { memoryBytes: machineBytes() }),
      };
    } finally {
      close();
    }
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    report.note(`no adapter: ${error.message}`);
    return undefined;
  }
}

/** Memory of the machine, or what a container may use of it. */
function machineBytes(): number {
  // 0 or no number where nothing limits the process.
  const allowed = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(totalmem(), allowed);
}
