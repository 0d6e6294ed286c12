/** A child process with an engine of its own. It ends when its parent says so, or is gone. */
import { isDeepStrictEqual } from 'node:util';
import { openFolder } from '../node/files.ts';
import { toWire } from '../wire-error.ts';
import type { Backend, ImageJob } from './backend.ts';
import type { BackendLoad } from './load.ts';
import { createLocalBackend } from './local-backend.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './worker-messages.ts';

/** How often the parent hears of the load, where it changed. */
const LOAD_MS = 200;

const running = new Map<string, AbortController>();
let backend: Backend | undefined;

/** A parent that is gone hears nothing; `disconnect` ends this process. */
const tell = (message: FromWorker): void => {
  process.send?.(message, () => {});
};

// The parent hears the terminal and the service manager too, and says what is to be done.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit());
process.on('message', (message: ToWorker) => {
  if (message.type === 'open') void open(message.setup);
  else if (message.type === 'submit') void draw(message.id, message.job);
  else if (message.type === 'cancel') running.get(message.id)?.abort();
  else void close(message.deadlineMs);
});

async function open({ folder, ...options }: WorkerSetup): Promise<void> {
  try {
    const onNote = (text: string): void => tell({ type: 'note', text });
    // The parent starts another in the place of one that can draw no more.
    const onFailed = (error: unknown): void => {
      onNote(error instanceof Error ? error.message : String(error));
      process.exit(1);
    };
    const files = openFolder(folder);
    backend = await createLocalBackend({ ...options, files, onNote, onFailed });
    tell({ type: 'ready', models: backend.models, load: backend.load() });
    let told: BackendLoad | undefined;
    setInterval(() => {
      const load = backend?.load();
      if (!load || isDeepStrictEqual(load, told)) return;
      told = load;
      tell({ type: 'load', load });
    }, LOAD_MS);
  } catch (error) {
    tell({ type: 'refused', error: toWire(error) });
  }
}

async function draw(id: string, job: ImageJob): Promise<void> {
  const stop = new AbortController();
  running.set(id, stop);
  try {
    if (!backend) throw new Error('a job came before the model was open');
    for await (const event of backend.submit(job, { signal: stop.signal })) {
      tell({ type: 'event', id, event });
    }
  } catch (error) {
    if (!stop.signal.aborted) tell({ type: 'failed', id, error: toWire(error) });
  } finally {
    running.delete(id);
  }
}

async function close(deadlineMs: number): Promise<void> {
  await backend?.close(deadlineMs);
  process.exit();
}
