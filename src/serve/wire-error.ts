/** Errors as JSON, so that who asked meets the same kind of error whoever drew. */
import { DeviceError, type DeviceProblem, OptionError, WeightsError } from '../errors.ts';

export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly problem?: DeviceProblem | undefined;
}

export function wireError(error: unknown): WireError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message } = error;
  return { name, message, ...(error instanceof DeviceError && { problem: error.problem }) };
}

export function errorOf({ name, message, problem }: WireError): Error {
  if (name === 'OptionError') return new OptionError(message);
  if (name === 'WeightsError') return new WeightsError(message);
  if (name === 'DeviceError') return new DeviceError(problem ?? 'lost', message);
  return Object.assign(new Error(message), { name });
}

/** Whether another worker could do what this one could not. */
export const isWorkersFault = (error: unknown): boolean => error instanceof DeviceError;
