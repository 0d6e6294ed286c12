/** The engine that calls of `generate` on one model share. */

import type { Model } from '../load/model.ts';
import { createEngine } from './engine.ts';
import type { Engine } from './engine-types.ts';

interface Shared {
  readonly engine: Promise<Engine>;
  /** Calls that are about to submit requests to it. */
  users: number;
  /** Slots that its successor must have, where one of its calls cannot do without: then it takes no more calls. */
  successor: number;
  /** Called when there is a user less. */
  readonly waiting: (() => void)[];
}

const engines = new WeakMap<Model, Shared>();

/** Slots that a call would like, and those that one of its requests cannot do without. */
export interface Wanted {
  readonly capacity: number;
  readonly least: number;
}

/**
 * Does something with the engine of a model, which stays until it is done, and as long as it runs
 * requests. A smaller one than is wanted makes way when it is idle; one that has work to do serves, if it
 * can hold a request, else it takes no more calls until it made way.
 */
export async function withSharedEngine<T>(
  model: Model,
  wanted: Wanted,
  work: (engine: Engine) => Promise<T>,
): Promise<T> {
  const shared = await joinShared(model, wanted);
  try {
    return await work(await shared.engine);
  } finally {
    shared.users--;
    for (const wake of shared.waiting.splice(0)) wake();
  }
}

/** Finds or makes an engine, and counts one more user of it before anybody else looks. */
async function joinShared(model: Model, { capacity, least }: Wanted): Promise<Shared> {
  let successor = capacity;
  for (;;) {
    const shared = engines.get(model);
    if (!shared) break;
    const engine = await shared.engine.catch(() => undefined);
    if (engines.get(model) !== shared) continue;
    if (!engine) break;
    const isBusy = shared.users > 0 || engine.jobs > 0;
    if (shared.successor === 0 && engine.capacity >= (isBusy ? least : capacity)) {
      shared.users++;
      return shared;
    }
    if (!isBusy) {
      engine.destroy();
      successor = Math.max(capacity, shared.successor);
      break;
    }
    shared.successor = Math.max(least, shared.successor);
    if (shared.users > 0) await new Promise<void>((resolve) => shared.waiting.push(resolve));
    else await engine.idle();
  }
  const engine = createEngine(model, { capacity: successor });
  const made: Shared = { engine, users: 1, successor: 0, waiting: [] };
  engines.set(model, made);
  return made;
}
