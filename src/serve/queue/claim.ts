/** All workers of a queue draw the same pixels: the first one says which, and the others must too. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { OptionError } from '../../errors.ts';
import type { ServedModel } from '../backend.ts';
import { modelsDifference } from '../models-difference.ts';
import { type Claim, GONE_MS, type Keys } from './records.ts';

/** The claim that is valid now. */
export async function readClaim(redis: Redis, { claim }: Keys): Promise<Claim | undefined> {
  const text = await redis.get(claim);
  return text === null ? undefined : JSON.parse(text);
}

/** How often it is looked for a first worker. */
const LOOK_MS = 200;

interface Waiting {
  /** Called when there is no worker yet. */
  readonly onWait: () => void;
  readonly signal?: AbortSignal | undefined;
}

/** The claim that is valid now, or, where there is none, that of the first worker to come. */
export async function firstClaim(
  redis: Redis,
  keys: Keys,
  { onWait, signal }: Waiting,
): Promise<Claim> {
  for (let isFirst = true; ; isFirst = false) {
    const claim = await readClaim(redis, keys);
    if (claim) return claim;
    if (isFirst) onWait();
    await pause(LOOK_MS);
    signal?.throwIfAborted();
  }
}

/**
 * Claims a queue for what a worker draws, or joins those that have, until `GONE_MS` from now.
 * @throws OptionError when others draw other pixels: it names what differs.
 */
export async function claimQueue(
  redis: Redis,
  keys: Keys,
  models: readonly ServedModel[],
): Promise<void> {
  const own: Claim = { models };
  for (;;) {
    const isFirst = await redis.set(keys.claim, JSON.stringify(own), 'PX', GONE_MS, 'NX');
    if (isFirst) return;
    const others = await readClaim(redis, keys);
    if (!others) continue; // it ran out just now
    const difference = modelsDifference(others.models, models);
    if (difference !== undefined) {
      throw new OptionError(
        `the workers of this queue draw other pixels (${difference}): take another --queue-name, or stop them first and wait ${GONE_MS / 1000} s`,
      );
    }
    await redis.pexpire(keys.claim, GONE_MS);
    return;
  }
}

/** The last one leaves a queue to whoever comes: in one step, so that nobody comes in between. */
const LEAVE = `
redis.call('del', KEYS[1])
redis.call('srem', KEYS[2], ARGV[1])
if redis.call('scard', KEYS[2]) == 0 then redis.call('del', KEYS[3]) end`;

/** @param id Of the worker, which is one of the queue's by its key and the set of all of them. */
export async function leaveQueue(redis: Redis, keys: Keys, id: string): Promise<void> {
  await redis.eval(LEAVE, 3, keys.worker(id), keys.workers, keys.claim, id);
}
