/**
 * Weights as products and embeddings want them: integer ones with their scales, and those that are
 * larger than one binding in parts of whole rows.
 */
import type { Bindings, Kernel, MatrixDType, Names, TableDType } from '../../kernels/kernel.ts';
import { isQuantised, quantGroups, scalesOf } from '../../kernels/lib/quants.ts';
import type { Columns } from '../../kernels/product/columns.ts';
import type { Graph, Inputs, Outputs } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';

/** Some rows of a weight. */
export interface MatrixPart extends Columns {
  readonly values: Tensor;
  /** f16 [count, groups], of integer weights. */
  readonly scales?: Tensor | undefined;
}

/** All rows of a weight, in order. */
export type Matrix = readonly MatrixPart[];

/** Rows of a part are a multiple of the first that fits: matrices of subgroups, or quads, of columns. */
const ROW_STEPS = [16, 4] as const;

/**
 * A weight [rows, inDim] by its state-dict name. One that is larger than `maxBytes` comes in parts of
 * nearly equal size; their names say which rows they have.
 */
export function matrix(
  g: Graph,
  name: string,
  dtype: MatrixDType,
  [rows, inDim]: readonly [rows: number, inDim: number],
  maxBytes: number = Number.POSITIVE_INFINITY,
): Matrix {
  const bytesOf = (count: number): number => byteLength({ dtype, shape: [count, inDim] });
  const step = ROW_STEPS.find((count) => bytesOf(count) <= maxBytes) ?? 4;
  const most = Math.max(1, Math.floor(maxBytes / bytesOf(step))) * step;
  if (bytesOf(rows) <= maxBytes || rows <= step)
    return [part(g, name, dtype, inDim, { first: 0, count: rows }, rows)];
  const parts = Math.ceil(rows / most);
  const size = Math.ceil(rows / parts / step) * step;
  const cuts = Array.from({ length: Math.ceil(rows / size) }, (_, i) => i * size);
  return cuts.map((first) =>
    part(g, name, dtype, inDim, { first, count: Math.min(size, rows - first) }, rows),
  );
}

function part(
  g: Graph,
  name: string,
  dtype: MatrixDType,
  inDim: number,
  { first, count }: Columns,
  rows: number,
): MatrixPart {
  const whole = count === rows;
  const label = whole ? name : `${name}[${first}:${first + count}]`;
  const origin = { name, firstRow: first, rows };
  const values = g.weight(label, dtype, [count, inDim], whole ? undefined : origin);
  if (!isQuantised(dtype)) return { first, count, values };
  const shape = [count, quantGroups(dtype, inDim)];
  const scales = g.weight(`${label}.scales`, 'f16', shape, { ...origin, scales: true });
  return { first, count, values, scales };
}

/** A table [rows, dim] that is looked up, in parts like a matrix. */
export const table = (
  g: Graph,
  name: string,
  dtype: TableDType,
  shape: readonly [rows: number, dim: number],
  maxBytes?: number,
): Matrix => matrix(g, name, dtype, shape, maxBytes);

/**
 * Calls a kernel for every part of its weights, which are cut alike: each call after the first adds
 * its part to the outputs of the first. One call for weights that are whole.
 * @param make The kernel for some rows of the weights; for all of them without an argument.
 * @param weights By the name of their binding.
 * @param inputs Everything else that the kernel reads.
 */
export function callParts<B extends Bindings, W extends Names<B, 'in'>>(
  g: Graph,
  make: (part?: Columns) => Kernel<B>,
  weights: Readonly<Record<W, Matrix>>,
  inputs: Omit<Inputs<B>, W>,
): Outputs<B> {
  const entries = Object.entries<Matrix>(weights);
  const [[, first] = []] = entries;
  let made: Readonly<Record<string, Tensor>> | undefined;
  for (const [i, { first: row, count }] of (first ?? []).entries()) {
    const bound: Record<string, Tensor> = {};
    for (const [name, parts] of entries) {
      const own = parts[i];
      if (own?.first !== row || own.count !== count || parts.length !== first?.length) {
        throw new RangeError(`"${name}" is cut into other parts than the weights beside it`);
      }
      bound[name] = own.values;
      if (own.scales) bound[scalesOf(name)] = own.scales;
    }
    const kernel: Kernel = first?.length === 1 ? make() : make({ first: row, count });
    const outputs = g.call(kernel, { ...inputs, ...made, ...bound });
    made ??= outputs;
  }
  if (!made) throw new RangeError('a product without weights');
  return made as Outputs<B>;
}
