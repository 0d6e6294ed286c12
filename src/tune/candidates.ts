/** Tiles of one key as calls to run: only those that make other kernels than the own choice. Pure. */
import type { Variant } from '../../kernels/kernel.ts';
import type { Node } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Tile, Tiles } from '../ops/tiles.ts';
import { type Alignment, align, askedTiles, type Define, nodesOf, textOf } from './keys.ts';

/** The calls of one workload that a tile changes. */
export interface Part {
  readonly nodes: readonly Node[];
  readonly selected: ReadonlySet<Node>;
  /** The tensor of the own choice's graph in the place of one that selected calls read. */
  readonly ownOf: (tensor: Tensor) => Tensor;
}

export interface Candidate {
  /** Empty: the own choice. */
  readonly tile: Tile;
  /** By the index of the workload. */
  readonly parts: ReadonlyMap<number, Part>;
}

interface Built {
  readonly tile: Tile;
  /** One for each workload. */
  readonly graphs: readonly { readonly nodes: readonly Node[]; readonly alignment: Alignment }[];
}

/** The own choice, and every tile that a kernel takes and that makes calls none before it made. */
export function candidatesOf(
  workloads: readonly { readonly define: Define }[],
  variant: Variant,
  key: string,
  tiles: readonly object[],
  forced: Tiles = {},
): Candidate[] {
  // Workloads without the key are graphs without calls: building all again for each tile takes long.
  const defines = workloads.map(({ define }) =>
    askedTiles(define, variant, forced).includes(key) ? define : () => {},
  );
  const own = defines.map((define) => nodesOf(define, variant, forced));
  const texts = (all: readonly (readonly Node[])[]): string =>
    all.flatMap((nodes) => nodes.map(textOf)).join();
  const seen = new Set([texts(own)]);
  const built: Built[] = [];
  for (const tile of tiles as readonly Tile[]) {
    const all = nodesWith(defines, variant, { ...forced, [key]: tile });
    if (!all || seen.has(texts(all))) continue;
    seen.add(texts(all));
    const graphs = all.map((nodes, i) => ({ nodes, alignment: align(own[i] ?? [], nodes) }));
    built.push({ tile, graphs });
  }
  const changed = own.map((nodes, i) => changedCalls(nodes, built, i));
  const involved = [...changed.keys()].filter((i) => (changed[i]?.size ?? 0) > 0);
  const partsOf = (part: (i: number) => Part): Map<number, Part> =>
    new Map(involved.map((i) => [i, part(i)]));
  const ownPart = (i: number): Part => {
    const nodes = own[i] ?? [];
    const selected = new Set(nodes.filter((_, at) => changed[i]?.has(at)));
    return { nodes, selected, ownOf: (t) => t };
  };
  return [
    { tile: {}, parts: partsOf(ownPart) },
    ...built.map(({ tile, graphs }) => ({
      tile,
      parts: partsOf((i) => otherPart(own[i] ?? [], graphs[i], changed[i] ?? new Set())),
    })),
  ];
}

/** The calls of every workload, or undefined when a kernel refuses the tile. */
function nodesWith(
  defines: readonly Define[],
  variant: Variant,
  tiles: Tiles,
): (readonly Node[])[] | undefined {
  try {
    return defines.map((define) => nodesOf(define, variant, tiles));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Indices of the own calls that any tile changes. */
function changedCalls(nodes: readonly Node[], built: readonly Built[], i: number): Set<number> {
  const changed = new Set<number>();
  for (const { graphs } of built) {
    const same = new Set(graphs[i]?.alignment.same.map(([own]) => own));
    for (const at of nodes.keys()) if (!same.has(at)) changed.add(at);
  }
  return changed;
}

function otherPart(
  own: readonly Node[],
  graph: Built['graphs'][number] | undefined,
  changed: ReadonlySet<number>,
): Part {
  if (!graph) throw new RangeError('a candidate without its graph');
  const { nodes, alignment } = graph;
  const kept = new Set(alignment.same.flatMap(([at, other]) => (changed.has(at) ? [] : [other])));
  const named = new Map<string, Tensor>();
  for (const { tensors } of own) {
    for (const t of Object.values(tensors)) if (t.life !== 'temp') named.set(t.name, t);
  }
  return {
    nodes,
    selected: new Set(nodes.filter((_, at) => !kept.has(at))),
    ownOf: (t) => {
      const mine = t.life === 'temp' ? alignment.counterpart.get(t) : named.get(t.name);
      if (!mine) throw new RangeError(`"${t.name}" has no counterpart under the own tile`);
      return mine;
    },
  };
}
