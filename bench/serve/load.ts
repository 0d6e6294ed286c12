/** Loads as servers meet them: closed loops of clients that wait, and clients that come by chance. */
import { setTimeout as sleep } from 'node:timers/promises';
import { uniform } from '../../src/gpu/random.ts';

/** Asks for image `index` and waits for it. */
export type Ask = (index: number) => Promise<void>;

/** What a load took. */
export interface Served {
  /** From the first request to the last answer. */
  readonly seconds: number;
  /**
   * Of each request, ascending: from when it was due, so that a client that comes late because the one
   * before was slow counts what it waited.
   */
  readonly latenciesMs: readonly number[];
}

/** Clients that each ask again as soon as they have their answer. */
export async function closedLoop(ask: Ask, images: number, clients: number): Promise<Served> {
  const began = performance.now();
  const latencies: number[] = [];
  let asked = 0;
  const client = async (): Promise<void> => {
    while (asked < images) {
      const due = performance.now();
      await ask(asked++);
      latencies.push(performance.now() - due);
    }
  };
  await Promise.all(Array.from({ length: Math.min(clients, images) }, client));
  return served(began, latencies);
}

/** Requests that come when their time has come, whatever became of those before. */
export async function openLoop(ask: Ask, arrivalsMs: readonly number[]): Promise<Served> {
  const began = performance.now();
  const latencies: number[] = [];
  const running: Promise<void>[] = [];
  for (const [index, at] of arrivalsMs.entries()) {
    const due = began + at;
    await sleep(Math.max(0, due - performance.now()));
    const request = ask(index).then(() => void latencies.push(performance.now() - due));
    request.catch(() => {}); // told below, once all have come
    running.push(request);
  }
  await Promise.all(running);
  return served(began, latencies);
}

/** Times of a Poisson process, in milliseconds from its start; the same for the same seed. */
export function poissonArrivals(count: number, perSecond: number, seed: number): number[] {
  const next = uniform(seed);
  let at = 0;
  return Array.from({ length: count }, () => {
    at += (-Math.log(1 - next()) * 1000) / perSecond;
    return at;
  });
}

const served = (began: number, latencies: number[]): Served => ({
  seconds: (performance.now() - began) / 1000,
  latenciesMs: latencies.sort((a, b) => a - b),
});

/**
 * The least value that a share of the values does not exceed (nearest rank).
 * @param sorted Ascending, not empty.
 */
export function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new RangeError('expected at least one value, got none');
  return value;
}
