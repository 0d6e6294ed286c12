/**
 * A process of a queue. `worker FOLDER URL`: draws what is in the queue. `api URL SEEDS`: asks for images
 * and says when they are being drawn.
 */
import { openFolder } from '../../src/node/files.ts';
import type { JobEvent } from '../../src/serve/backend.ts';
import { createLocalBackend } from '../../src/serve/local-backend.ts';
import { queueAddress } from '../../src/serve/queue/address.ts';
import { createQueueBackend } from '../../src/serve/queue/queue-backend.ts';
import { startQueueWorker } from '../../src/serve/queue/queue-worker.ts';
import { eventsOf, jobOf } from './worker-jobs.ts';

const [what, ...rest] = process.argv.slice(2);
const say = (text: string): void => void process.stdout.write(`${text}\n`);
const onNote = say;
// Whatever becomes of the test, this ends with it.
process.stdin.resume().on('end', () => process.exit(1));

/** Says of each image that it is being drawn. */
async function* saying(events: AsyncIterable<JobEvent>): AsyncGenerator<JobEvent> {
  for await (const event of events) {
    if (event.type === 'started') say('draws');
    yield event;
  }
}

if (what === 'worker') {
  const [folder = '', url = ''] = rest;
  const backend = await createLocalBackend({ files: openFolder(folder), capacity: 4 });
  const submit = backend.submit.bind(backend);
  backend.submit = (job, options) => saying(submit(job, options));
  const worker = await startQueueWorker({
    address: queueAddress(url),
    backend,
    lockMs: 3000,
    onNote,
  });
  say('ready');
  process.on('SIGTERM', async () => {
    await worker.close(0);
    await backend.close(0);
    process.exit(0);
  });
} else {
  const [url = '', seeds = ''] = rest;
  const backend = await createQueueBackend({ address: queueAddress(url), onNote });
  for (const seed of seeds.split(',').map(Number)) {
    void eventsOf(backend, jobOf(seed), { onEvent: ({ type }) => say(`${seed} ${type}`) });
  }
}
