/** `llamagen worker`: draws what is in a queue, until it is asked to stop. */
import { importQueue } from '../serve/peers.ts';
import { type DrawOptions, openDrawing } from './open-backend.ts';
import type { Report } from './report.ts';
import { aborted, allowGrace } from './signals.ts';

export interface WorkerOptions extends DrawOptions {
  readonly queue: string;
  readonly queueName?: string | undefined;
  /** Seconds. */
  readonly shutdownTimeout: number;
}

/** To free what a backend has. */
const LAST_MS = 5000;

/**
 * Runs the command. What can be refused is refused before the weights are read.
 * @throws What ended the worker, where nobody asked it to stop.
 */
export async function runWorker(
  options: WorkerOptions,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { queue, queueName, shutdownTimeout } = options;
  const { queueAddress, startQueueWorker } = await importQueue('llamagen worker');
  const address = queueAddress(queue, queueName);
  const failed = new AbortController();
  const ends = { signal, onFailed: (error: unknown) => failed.abort(error) };
  const backend = await openDrawing(options, report, ends);
  try {
    const onNote = (text: string): void => report.note(text);
    const worker = await startQueueWorker({ address, backend, onNote, ...ends });
    const deadlineMs = 1000 * shutdownTimeout;
    allowGrace(signal, deadlineMs + LAST_MS);
    const [model] = backend.models;
    report.line(`adapter  ${model?.adapter}`);
    report.line(`model    ${model?.name}, ${model?.width}x${model?.height} pixels`);
    report.line(`queue    ${address.name} at ${address.shown}`);
    report.json({ queue: address.shown, name: address.name, model: model?.name });
    await Promise.race([aborted(signal), aborted(failed.signal)]);
    if (!failed.signal.aborted)
      report.note(`stopping: what runs has ${shutdownTimeout} s to finish`);
    await worker.close(failed.signal.aborted ? 0 : deadlineMs);
    failed.signal.throwIfAborted();
  } finally {
    await backend.close(0);
  }
}
