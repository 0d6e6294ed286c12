/** Work in error scopes of its own, so that an error reaches whoever made it. */
import { DeviceError } from '../errors.ts';

/** The last is asked first: scopes are a stack. */
const FILTERS = ['out-of-memory', 'internal', 'validation'] as const;

/**
 * Runs `work` at once in error scopes of its own, and waits until the device has accepted what it did.
 * Only what `work` does before it returns is inside: a device has one stack of scopes, and one that
 * stayed open while something is awaited would take the errors of others.
 * @returns What `work` returned. Awaiting it may be put off; a rejection is kept until then.
 * @throws DeviceError when an allocation did not fit or a call was not valid.
 */
export function checked<T>(device: GPUDevice, what: string, work: () => T): Promise<Awaited<T>> {
  for (const filter of FILTERS) device.pushErrorScope(filter);
  let result: T | Promise<never>;
  try {
    result = work();
  } catch (error) {
    result = Promise.reject(error);
  }
  const scopes = Promise.all(FILTERS.map(() => device.popErrorScope()));
  const accepted = verdict(what, scopes, Promise.allSettled([result]));
  accepted.catch(() => {}); // told to whoever awaits it, however late
  return accepted;
}

async function verdict<T>(
  what: string,
  scopes: Promise<(GPUError | null)[]>,
  settled: Promise<[PromiseSettledResult<Awaited<T>>]>,
): Promise<Awaited<T>> {
  const [[invalid, internal, full], [outcome]] = await Promise.all([scopes, settled]);
  // First, because calls on what did not fit fail too.
  if (full) {
    throw new DeviceError('out-of-memory', `${what}: the device is out of memory: ${full.message}`);
  }
  if (outcome.status === 'rejected') throw outcome.reason;
  const error = invalid ?? internal;
  if (error) throw new DeviceError('validation', `${what}: ${error.message}`);
  return outcome.value;
}
