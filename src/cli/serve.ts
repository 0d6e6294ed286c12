/** `llamagen serve`: the OpenAI images API over HTTP, until it is asked to stop. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { LoadOptions } from '../load/model.ts';
import { openFolder } from '../node/files.ts';
import { createApp } from '../serve/app.ts';
import { createLocalBackend } from '../serve/local-backend.ts';
import type { CommonOptions } from './context.ts';
import type { Report } from './report.ts';

export interface ServeOptions extends CommonOptions {
  readonly host: string;
  readonly port: number;
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
  const { model: folder, host, port, capacity, dtype, precision } = options;
  const start = performance.now();
  const backend = await createLocalBackend({
    files: openFolder(folder),
    ...{ capacity, signal },
    load: {
      ...{ dtype, precision },
      onProgress: (done, total) =>
        report.progress({ phase: 'load', done, total, elapsedMs: performance.now() - start }),
    },
    created: statSync(join(folder, 'model.json')).mtimeMs / 1000,
    onNote: (text) => report.note(text),
  });
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

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
