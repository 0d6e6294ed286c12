/** Which faults are judged: all, or some of every kernel and operator, the same ones for the same seed. */
import { createHash } from 'node:crypto';
import type { Fault } from './faults.ts';

/** A place in the draw: by the text alone, so that a kernel that changes moves no other's faults. */
const draw = (seed: number, text: string): string =>
  createHash('sha256').update(`${seed} ${text}`).digest('hex');

/** In the order of their draws. */
function drawn<T>(items: readonly T[], seed: number, text: (item: T) => string): T[] {
  return items
    .map((item) => [draw(seed, text(item)), item] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, item]) => item);
}

/**
 * All faults in an order of which any beginning is a fair sample: in turn one of each kernel and operator,
 * drawn from the seed.
 */
export function sampleOrder(faults: readonly Fault[], seed: number): Fault[] {
  const strata = new Map<string, Fault[]>();
  for (const fault of faults) {
    const stratum = `${fault.kernel} ${fault.operator}`;
    const own = strata.get(stratum) ?? [];
    strata.set(stratum, own);
    own.push(fault);
  }
  const turns = drawn([...strata], seed, ([stratum]) => stratum).map(([, own]) =>
    drawn(own, seed, ({ kernel, key }) => `${kernel} ${key}`),
  );
  const longest = Math.max(0, ...turns.map(({ length }) => length));
  return Array.from({ length: longest }, (_, turn) =>
    turns.flatMap((own) => own.slice(turn, turn + 1)),
  ).flat();
}
