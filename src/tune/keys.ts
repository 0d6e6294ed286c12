/** Which tiles the kernels of a graph ask for, and which of its calls a tile changes. Pure. */
import type { Variant } from '../../kernels/kernel.ts';
import { Graph, type Node } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { Tiles } from '../ops/tiles.ts';

/** Appends a model, or a part of one, to a graph. */
export type Define = (g: Graph, variant: Variant, tiles: Tiles) => void;

/** The calls of a model under a variant. */
export function nodesOf(define: Define, variant: Variant, tiles: Tiles = {}): readonly Node[] {
  const g = new Graph();
  define(g, variant, tiles);
  return g.nodes;
}

/** Keys `family shape` of all tiles that a graph looks for (`tileOf`), in their order. */
export function askedTiles(
  define: Define,
  variant: Variant,
  forced: Tiles = {},
): readonly string[] {
  const asked = new Set<string>();
  const tiles: Tiles = new Proxy(forced, {
    get(target, key) {
      if (typeof key === 'string' && key.includes(' ')) asked.add(key);
      return Reflect.get(target, key);
    },
  });
  define(new Graph(), variant, tiles);
  return [...asked];
}

/** How the calls of two graphs of one model go together. */
export interface Alignment {
  /** Indices of calls that both graphs have. */
  readonly same: readonly (readonly [own: number, other: number])[];
  /** Tensors of the first graph by their counterparts in the other, as far as calls of both use them. */
  readonly counterpart: ReadonlyMap<Tensor, Tensor>;
}

/**
 * Goes through two graphs that differ in the kernels of one tile, which may be another number of
 * calls: after each difference the nearest calls that are the same again count.
 */
export function align(own: readonly Node[], other: readonly Node[]): Alignment {
  const same: [number, number][] = [];
  const counterpart = new Map<Tensor, Tensor>();
  let [i, j] = [0, 0];
  while (i < own.length && j < other.length) {
    const [a, b] = [own[i], other[j]];
    if (a && b && isSame(a, b)) {
      same.push([i++, j++]);
      for (const [name, t] of Object.entries(b.tensors)) {
        const mine = a.tensors[name];
        if (mine) counterpart.set(t, mine);
      }
    } else {
      [i, j] = nextSame(own, other, i, j);
    }
  }
  return { same, counterpart };
}

/** All that decides what a dispatch of a kernel does. */
export const textOf = ({ kernel: { code, workgroups, sizes } }: Node): string =>
  `${workgroups} ${sizes ? JSON.stringify(sizes) : ''} ${code}`;

const isSame = (a: Node, b: Node): boolean =>
  a.kernel.label === b.kernel.label && textOf(a) === textOf(b);

/** The nearest pair of calls after i and j that are the same, or both ends. */
function nextSame(own: readonly Node[], other: readonly Node[], i: number, j: number) {
  const most = own.length - i + (other.length - j);
  for (let distance = 2; distance <= most; distance++) {
    for (let step = 1; step < distance; step++) {
      const [a, b] = [own[i + step], other[j + distance - step]];
      if (a && b && isSame(a, b)) return [i + step, j + distance - step] as const;
    }
  }
  return [own.length, other.length] as const;
}
