/** Where a queue is, and the connections to it. */
import { Redis } from 'ioredis';
import { OptionError } from '../../errors.ts';

export interface QueueAddress {
  /** With the password, where it has one. */
  readonly url: string;
  /** Queues of other names are other queues. */
  readonly name: string;
  /** For messages: host and port alone. */
  readonly shown: string;
}

export const DEFAULT_QUEUE = 'llamagen';

/** How long the first connection may take. */
const CONNECT_MS = 10_000;

/**
 * @param url `redis://[user:password@]host[:port][/database]`, or `rediss://` over TLS.
 * @throws OptionError that says what is wrong, never with the password.
 */
export function queueAddress(url: string, name: string = DEFAULT_QUEUE): QueueAddress {
  if (!URL.canParse(url)) throw new OptionError(`--queue expected ${EXAMPLE}`);
  const { protocol, hostname, port, pathname } = new URL(url);
  if (!['redis:', 'rediss:'].includes(protocol) || hostname === '') {
    throw new OptionError(`--queue expected ${EXAMPLE}, got ${protocol}//${hostname}`);
  }
  if (!/^(\/\d*)?$/.test(pathname)) {
    throw new OptionError(`--queue expected the number of a database, got "${pathname.slice(1)}"`);
  }
  // BullMQ makes keys of it, with colons between.
  if (!/^[\w.-]{1,100}$/.test(name)) {
    throw new OptionError('--queue-name expected letters, digits, dots and hyphens');
  }
  return { url, name, shown: `${protocol}//${hostname}:${port || 6379}` };
}

const EXAMPLE = 'an address such as redis://127.0.0.1:6379';

/** What BullMQ makes its own connections of: commands wait for a connection that was lost. */
export const connectionOf = ({
  url,
}: QueueAddress): { readonly url: string; readonly maxRetriesPerRequest: null } => ({
  url,
  maxRetriesPerRequest: null,
});

/**
 * Opens a connection, which comes back by itself after it was lost; both are told.
 * @throws Error with the reason when there is none within ten seconds.
 */
export async function openRedis(
  address: QueueAddress,
  onNote: (text: string) => void,
  signal?: AbortSignal,
): Promise<Redis> {
  const redis = new Redis(address.url, { maxRetriesPerRequest: null, lazyConnect: true });
  let reason = 'no answer';
  redis.on('error', (error) => {
    reason = error.message || String(error);
  });
  redis.connect().catch(() => {}); // tried again until the time is over
  const limit = AbortSignal.timeout(CONNECT_MS);
  const isOver = signal ? AbortSignal.any([signal, limit]) : limit;
  await new Promise<void>((resolve, reject) => {
    redis.once('ready', resolve);
    isOver.addEventListener('abort', () => reject(isOver.reason), { once: true });
  }).catch((error) => {
    redis.disconnect();
    if (signal?.aborted) throw error;
    throw new Error(`the queue at ${address.shown} cannot be reached: ${reason}`);
  });
  tellLosses(redis, address, onNote, () => reason);
  return redis;
}

/** Once for each loss, and once when it is over. */
function tellLosses(
  redis: Redis,
  { shown }: QueueAddress,
  onNote: (text: string) => void,
  reason: () => string,
): void {
  let isLost = false;
  redis.on('reconnecting', () => {
    if (!isLost)
      onNote(`the connection to the queue at ${shown} was lost (${reason()}): trying again`);
    isLost = true;
  });
  redis.on('ready', () => {
    if (isLost) onNote(`the queue at ${shown} is there again`);
    isLost = false;
  });
}
