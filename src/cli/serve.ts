/** `llamagen serve`: the OpenAI images API over HTTP, until it is asked to stop. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadOptions } from '../load/model.ts';
import { openFolder } from '../node/files.ts';
import { createApp } from '../serve/app.ts';
import type { Backend } from '../serve/backend.ts';
import { createLocalBackend } from '../serve/local-backend.ts';
import { createWorkersBackend } from '../serve/workers-backend.ts';
import type { CommonOptions } from './context.ts';
import type { Report } from './report.ts';

export interface ServeOptions extends CommonOptions {
  readonly host: string;
  readonly port: number;
  /** Processes with an engine each. Default: one engine, in this process. */
  readonly workers?: number | undefined;
  readonly capacity?: number | undefined;
  readonly dtype?: LoadOptions['dtype'];
  readonly precision?: LoadOptions['precision'];
}

/** Jobs that run when the server stops have so long. */
const SHUTDOWN_MS = 30_000;

/** Runs the command. */
export async function runServe(
  options: ServeOptions,
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  const { host, port } = options;
  const backend = await openBackend(options, report, signal);
  try {
    const app = await createApp({ backend });
    const url = await app.listen({ host, port });
    const [model] = backend.models;
    report.line(`adapter  ${model?.adapter}`);
    report.line(`model    ${model?.name}`);
    report.line(`serving  ${url}`);
    await aborted(signal);
    await app.close();
  } finally {
    await backend.close(SHUTDOWN_MS);
  }
}

/** Who draws, as the options say. */
function openBackend(options: ServeOptions, report: Report, signal: AbortSignal): Promise<Backend> {
  const { model: folder, workers, capacity, dtype, precision } = options;
  const created = statSync(join(folder, 'model.json')).mtimeMs / 1000;
  const onNote = (text: string): void => report.note(text);
  const common = { capacity, created, onNote };
  if (workers !== undefined) {
    return createWorkersBackend({ ...common, workers, folder, load: { dtype, precision }, signal });
  }
  const start = performance.now();
  const onProgress = (done: number, total: number): void =>
    report.progress({ phase: 'load', done, total, elapsedMs: performance.now() - start });
  const load = { dtype, precision, onProgress };
  return createLocalBackend({ ...common, files: openFolder(folder), load, signal });
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
