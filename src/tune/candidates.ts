/** The operations that a key stands for, and the tiles that are tried for it. Pure. */
import { Graph, type Node } from '../graph/graph.ts';
import type { Called } from '../ops/operation.ts';
import type { Tile } from '../ops/tiles.ts';
import type { Workload } from './workloads.ts';

/** Operations of one key, for each workload that has any. */
export type CallsOfKey = ReadonlyMap<Workload, readonly Called[]>;

/** Operations of all workloads by their keys `family shape`, in the order of the first. */
export function callsByKey(workloads: readonly Workload[]): ReadonlyMap<string, CallsOfKey> {
  const found = new Map<string, Map<Workload, Called[]>>();
  for (const workload of workloads) {
    const called: Called[] = [];
    workload.define(new Graph(), called);
    for (const call of called) {
      const calls = found.get(call.key) ?? new Map<Workload, Called[]>();
      calls.set(workload, [...(calls.get(workload) ?? []), call]);
      found.set(call.key, calls);
    }
  }
  return found;
}

/** The own choice, which is no setting, and those of `tiles` that fit and make other kernels. */
export function candidatesOf(calls: CallsOfKey, tiles: readonly object[]): Tile[] {
  const all = [...calls.values()].flat();
  const textsOf = (tile: Tile): string => {
    const g = new Graph();
    for (const call of all) call.again(g, tile, (tensor) => tensor);
    return g.nodes.map(textOf).join();
  };
  const own: Tile = {};
  const seen = new Set([textsOf(own)]);
  const candidates = [own];
  for (const tile of tiles as readonly Tile[]) {
    if (all.some((call) => call.problem(tile) !== undefined)) continue;
    const texts = textsOf(tile);
    if (!seen.has(texts)) candidates.push(tile);
    seen.add(texts);
  }
  return candidates;
}

/** All that decides what a dispatch of a kernel does. */
export const textOf = ({ kernel: { code, workgroups, sizes } }: Node): string =>
  `${workgroups} ${sizes ? JSON.stringify(sizes) : ''} ${code}`;
