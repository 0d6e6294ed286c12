/**
 * Errors as plain data, between threads and processes: cloning one loses its class, and what is wrong with a
 * device or a download.
 */
import {
  DeviceError,
  type DeviceProblem,
  DownloadError,
  type DownloadProblem,
  OptionError,
  WeightsError,
} from './errors.ts';

/** An error on its way. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly problem?: string | undefined;
  /** Where it was thrown, for developers. */
  readonly stack?: string | undefined;
}

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  const problem = 'problem' in error ? String(error.problem) : undefined;
  return { name, message, problem, stack };
}

/** The error again, of the class it had where that is one of this project or `AbortError`. */
export function fromWire({ name, message, problem, stack }: WireError): Error {
  const error = make(name, message, problem);
  if (stack !== undefined) Object.defineProperty(error, 'stack', { value: stack });
  return error;
}

function make(name: string, message: string, problem: string | undefined): Error {
  switch (name) {
    case 'OptionError':
      return new OptionError(message);
    case 'WeightsError':
      return new WeightsError(message);
    case 'DeviceError':
      return new DeviceError(problem as DeviceProblem, message);
    case 'DownloadError':
      return new DownloadError(problem as DownloadProblem, message);
    case 'AbortError':
    case 'QuotaExceededError':
      return new DOMException(message, name);
    default:
      return Object.assign(new Error(message), { name });
  }
}
