/** What the command line needs of the queue. */
export { DEFAULT_QUEUE, queueAddress } from './address.ts';
export { createQueueBackend } from './queue-backend.ts';
export { startQueueWorker } from './queue-worker.ts';
