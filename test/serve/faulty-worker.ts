/**
 * Loaded into a worker process before its own code: jobs of some seeds go wrong in it, as they do when a GPU
 * fails. All else is the worker.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DeviceError } from '../../src/errors.ts';
import type { FromWorker, ToWorker } from '../../src/serve/worker-messages.ts';
import { toWire } from '../../src/wire-error.ts';

/** Seeds of jobs that go wrong, once or always. */
export const SEED_OF = {
  /** It is handed back in the place of its image, by the first worker that draws it. */
  handedBackOnce: 101,
  handedBackAlways: 102,
  /** It ends its worker. */
  deadly: 103,
} as const;

/** In the folder FAULTS: while it is there, no worker gets as far as its model. */
export const NO_START = 'no-start';

/** In the same folder, once a job of this seed was given to a worker. */
export const givenFile = (seed: number): string => `given-${seed}`;

const folder = process.env.FAULTS ?? '';
const send = process.send?.bind(process);
if (folder !== '' && send) {
  const seeds = new Map<string, number>();
  const hear = (message: ToWorker): void => {
    if (message.type === 'open' && existsSync(join(folder, NO_START))) process.exit(3);
    if (message.type !== 'submit') return;
    seeds.set(message.id, message.job.seed);
    writeFileSync(join(folder, givenFile(message.job.seed)), '');
  };
  // Not before the worker does: what comes until somebody listens is kept, and the first one gets it.
  const listen = (name: string): void => {
    if (name !== 'message') return;
    process.off('newListener', listen);
    process.on('message', hear);
  };
  process.on('newListener', listen);
  process.send = (message: FromWorker, ...rest: unknown[]): boolean => {
    const told = 'event' in message && message.event.type === 'image' ? message : undefined;
    const seed = told && seeds.get(told.id);
    if (seed === SEED_OF.deadly) process.exit(4);
    const isOver = seed === SEED_OF.handedBackOnce && existsSync(join(folder, `${seed}`));
    const goesWrong = seed === SEED_OF.handedBackOnce || seed === SEED_OF.handedBackAlways;
    if (!told || !goesWrong || isOver) return send(message, ...(rest as []));
    writeFileSync(join(folder, `${seed}`), '');
    seeds.delete(told.id);
    const error = toWire(new DeviceError('out-of-memory', 'this device has no room'));
    return send({ type: 'failed', id: told.id, error } satisfies FromWorker, ...(rest as []));
  };
}
