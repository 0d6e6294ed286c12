/** A failure that another try may mend. */
import { DownloadError, type DownloadProblem } from '../errors.ts';

export class TransientError extends DownloadError {
  /** What the server asked to wait, if it did. */
  readonly waitMs: number;

  constructor(
    problem: DownloadProblem,
    message: string,
    { waitMs = 0, ...options }: ErrorOptions & { readonly waitMs?: number } = {},
  ) {
    super(problem, message, options);
    this.waitMs = waitMs;
  }
}
