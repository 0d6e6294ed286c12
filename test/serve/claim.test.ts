/** Who leaves a queue and who joins it at the same moment: the claim is of those that are there. */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimQueue, leaveQueue, readClaim } from '../../src/serve/queue/claim.ts';
import { keysOf } from '../../src/serve/queue/records.ts';
import { HAS_REDIS, startRedis, type TestRedis } from './redis.ts';

let server: TestRedis;
let redis: Redis;

beforeAll(async () => {
  if (!HAS_REDIS) return;
  server = await startRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis?.disconnect();
  await server?.remove();
});

test.runIf(HAS_REDIS)(
  'who joins keeps the claim when all others leave; the last one gives it up',
  async () => {
    const keys = keysOf('claims');
    await redis.sadd(keys.workers, 'a');
    await claimQueue(redis, keys, []);
    await redis.set(keys.worker('b'), '');
    await redis.sadd(keys.workers, 'b');
    await leaveQueue(redis, keys, 'a');
    expect(await readClaim(redis, keys)).toEqual({ models: [] });
    await leaveQueue(redis, keys, 'b');
    expect(await readClaim(redis, keys)).toBeUndefined();
    expect(await redis.exists(keys.worker('b'), keys.workers)).toBe(0);
  },
);
