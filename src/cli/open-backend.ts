/** Who draws for `llamagen serve` and `llamagen worker`, as their options say. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadOptions } from '../load/model.ts';
import { openFolder } from '../node/files.ts';
import type { Backend } from '../serve/backend.ts';
import { createLocalBackend } from '../serve/local-backend.ts';
import { importQueue } from '../serve/peers.ts';
import { createWorkersBackend } from '../serve/workers-backend.ts';
import type { CommonOptions } from './context.ts';
import type { Report } from './report.ts';

export interface DrawOptions extends CommonOptions {
  /** Processes with an engine each. Default: one engine, in this process. */
  readonly workers?: number | undefined;
  readonly capacity?: number | undefined;
  readonly dtype?: LoadOptions['dtype'];
  readonly precision?: LoadOptions['precision'];
}

export interface QueueOptions {
  /** Address of a Redis. */
  readonly queue?: string | undefined;
  readonly queueName?: string | undefined;
}

/** What ends a run: it is asked to stop, or can draw no more. */
export interface Ends {
  readonly signal: AbortSignal;
  readonly onFailed: (error: unknown) => void;
}

/** Opens the model, in this process or in several. */
export function openDrawing(options: DrawOptions, report: Report, ends: Ends): Promise<Backend> {
  const { model: folder, workers, capacity, dtype, precision } = options;
  const created = statSync(join(folder, 'model.json')).mtimeMs / 1000;
  const onNote = (text: string): void => report.note(text);
  const common = { capacity, created, onNote, ...ends };
  if (workers !== undefined) {
    return createWorkersBackend({ ...common, workers, folder, load: { dtype, precision } });
  }
  const start = performance.now();
  const onProgress = (done: number, total: number): void =>
    report.progress({ phase: 'load', done, total, elapsedMs: performance.now() - start });
  const load = { dtype, precision, onProgress };
  return createLocalBackend({ ...common, files: openFolder(folder), load });
}

/** Workers of a queue where one is given, else the model here. */
export async function openBackend(
  options: DrawOptions & QueueOptions,
  report: Report,
  ends: Ends,
): Promise<Backend> {
  const { queue, queueName } = options;
  if (queue === undefined) return openDrawing(options, report, ends);
  const { queueAddress, createQueueBackend } = await importQueue('llamagen serve --queue');
  const address = queueAddress(queue, queueName);
  return createQueueBackend({ address, onNote: (text) => report.note(text), signal: ends.signal });
}
