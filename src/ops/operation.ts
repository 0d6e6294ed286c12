/** Operations: what a model computes at a time, in as many dispatches as the tile says. */
import type { Variant } from '../../kernels/kernel.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { familyOf, type Tiles, tileOf } from './tiles.ts';

/**
 * An operation that can divide its work in several ways.
 * P: sizes and storage; F: the tensors it reads; T: the settings of its tile.
 */
export interface Operation<P extends { readonly variant: Variant }, F, T extends object> {
  /**
   * `family shape`: what tiles are kept by. The shape has no number of rows: what decides the order of
   * a sum must not depend on it.
   */
  key(params: P): string;
  /** Tiles worth measuring on a device; a setting that is left out is the own choice. */
  tiles(variant: Variant): readonly Partial<T>[];
  /** Why it cannot be made with a tile, or undefined where it can. */
  problem(params: P, tile: Partial<T>): string | undefined;
  /** Appends the calls to a graph. */
  call(g: Graph, params: P, inputs: F, tile: Partial<T>): Tensor;
}

/** How the operations of a model are made. */
export interface OpSettings {
  readonly variant: Variant;
  /** Tiles that differ from the own choices. Default none. */
  readonly tiles?: Tiles | undefined;
  /** Is given every operation that the model calls. */
  readonly called?: Called[] | undefined;
}

/** An operation as a model called it, for whoever wants it with another tile. */
export interface Called {
  readonly key: string;
  readonly variant: Variant;
  tiles(): readonly object[];
  problem(tile: object): string | undefined;
  /**
   * Calls it in another graph, with `standIn(t)` in the place of each tensor that it reads. Settings
   * that were forced for the whole family are stronger than those of the tile.
   */
  again(g: Graph, tile: object, standIn: (tensor: Tensor) => Tensor): Tensor;
}

/** A graph under construction, and how the operations in it are made. */
export interface Ops extends OpSettings {
  readonly g: Graph;
}

/** Calls an operation with the tile that a table has for its key. */
export function run<P extends { readonly variant: Variant }, F, T extends object>(
  { g, tiles, called }: Omit<Ops, 'variant'>,
  op: Operation<P, F, T>,
  params: P,
  inputs: F,
): Tensor {
  const key = op.key(params);
  const forced = tiles?.[familyOf(key)];
  // Tables come from files; the kernels check names and values of settings.
  const settings = (tile: object): Partial<T> => ({ ...tile, ...forced }) as Partial<T>;
  called?.push({
    key,
    variant: params.variant,
    tiles: () => op.tiles(params.variant),
    problem: (tile) => op.problem(params, settings(tile)),
    again: (other, tile, standIn) =>
      op.call(other, params, replaced(inputs, standIn) as F, settings(tile)),
  });
  return op.call(g, params, inputs, settings(tileOf(tiles, key)));
}

/** A copy of what an operation is given, with other tensors. */
function replaced(inputs: unknown, by: (tensor: Tensor) => Tensor): unknown {
  if (isTensor(inputs)) return by(inputs);
  if (Array.isArray(inputs)) return inputs.map((item) => replaced(item, by));
  // What was made in the graph of the model is made again.
  if (inputs instanceof Map) return new Map();
  if (typeof inputs !== 'object' || inputs === null) return inputs;
  return Object.fromEntries(
    Object.entries(inputs).map(([name, item]) => [name, replaced(item, by)] as const),
  );
}

const isTensor = (value: unknown): value is Tensor =>
  typeof value === 'object' && value !== null && 'life' in value;
