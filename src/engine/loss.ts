/** Errors of devices that are lost. */
import { DeviceError } from '../errors.ts';

/** Calls on a device fail before it says that it is lost, but not by more. */
const LOST_WITHIN_MS = 1000;

/** Whether an error of calls on a device comes of its loss. */
export function isLoss(device: GPUDevice, error: unknown): Promise<boolean> {
  if (!(error instanceof DeviceError)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), LOST_WITHIN_MS);
    void device.lost.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

/** What ends that which was tried on so many devices. */
export function gaveUp(losses: number, cause: unknown): DeviceError {
  const why = asError(cause).message;
  const times = `${losses} times in a row`;
  return new DeviceError('lost', `the GPU device was lost ${times}, gave up: ${why}`, { cause });
}

/** What was thrown, as an error. */
export const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));
