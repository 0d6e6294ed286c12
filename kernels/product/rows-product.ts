import {
  assert,
  type Binding,
  type Bindings,
  ceilDiv,
  declareSized,
  grid,
  type Kernel,
  type Role,
  range,
} from '../kernel.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';
import { type Columns, columnsOf, productBytes } from './columns.ts';

export interface RowsProductParams {
  readonly rows: number;
  /** A multiple of 4, as is outDim. */
  readonly inDim: number;
  readonly outDim: number;
  /** Make these columns only; parts after the first add to `out`. Default all. */
  readonly columns?: Columns | undefined;
  /** Add the binding `residual` [rows, outDim] to the result. */
  readonly residual?: boolean | undefined;
}

export type RowsProductBindings = {
  readonly x: Binding<'in'>;
  readonly weight: Binding<'in'>;
  readonly out: Binding<'out'>;
};
export type ResidualRowsProductBindings = RowsProductBindings & {
  readonly residual: Binding<'in'>;
};

/** Rows and groups of four columns that an invocation has sums of. */
const ROWS = 4;
const QUADS = 2;
/** Software adapters run one workgroup a thread. */
const SIZE = 16;

/**
 * Product of many rows with a weight, for software adapters: out[r, o] = sum_i x[r, i] * weight[o, i]
 * (+ residual[r, o]). Its text holds no sizes: all products of a model share two pipelines, each compiled
 * in half the time of one of `linear`'s, which has a text for each shape and is 1.2 times as fast (24 and
 * 192 rows, SwiftShader, 2 busy cores). For what runs a few times. Sums run over i in order.
 *
 * Shapes: x [rows, inDim], weight [outDim, inDim], residual and out [rows, outDim], all f32.
 * Source: torch.nn.Linear without bias.
 */
export function rowsProduct(
  params: RowsProductParams & { residual: true },
): Kernel<ResidualRowsProductBindings>;
export function rowsProduct(
  params: RowsProductParams & { residual?: false },
): Kernel<RowsProductBindings>;
export function rowsProduct(params: RowsProductParams): Kernel {
  const identity = assertParams('rows_product', params, {
    rows: rule.size,
    inDim: rule.size,
    outDim: rule.size,
    columns: rule.optional(rule.part),
    residual: rule.optional(rule.flag),
  });
  const { rows, inDim, outDim, residual = false } = params;
  const { first, count } = columnsOf('rows_product', params);
  assert(
    inDim % 4 === 0 && outDim % 4 === 0,
    `rows_product: inDim and outDim expected multiples of 4, got ${inDim} and ${outDim}`,
  );
  const matrix = <R extends Role>(role: R, shape: readonly number[]): Binding<R> => ({
    ...{ role, dtype: 'f32', shape, element: 'vec4f' },
  });
  const bindings: Bindings = {
    x: matrix('in', [rows, inDim]),
    weight: matrix('in', [count, inDim]),
    ...(residual && { residual: matrix('in', [rows, outDim]) }),
    out: matrix(first > 0 ? 'inout' : 'out', [rows, outDim]),
  };
  assertIndexable('rows_product', bindings);
  const rowTiles = ceilDiv(rows, ROWS);
  const [gx, gy] = grid(ceilDiv(rowTiles * ceilDiv(count, 4 * QUADS), SIZE));
  const sizes = {
    ...{ rows, in_quads: inDim / 4, out_quads: outDim / 4 },
    ...{ first_quad: first / 4, quads: count / 4, row_tiles: rowTiles, groups: gx },
  };
  const [of, into] = ['rows, 4 * in_quads', 'rows, 4 * out_quads'];
  const axes = { x: of, weight: '4 * quads, 4 * in_quads', residual: into, out: into };
  const code = wgsl`
${declareSized(bindings, sizes, axes)}
fn put(at: u32, sums: vec4f) { out[at] = sums${residual ? ' + residual[at]' : ''}; }
@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let s = sizes;
  let tile = (group.y * s.groups + group.x) * ${SIZE}u + lane;
  // Tiles of rows are neighbours, so that all but the first find the weights in a cache.
  let row = tile % s.row_tiles * ${ROWS}u;
  let quad = tile / s.row_tiles * ${QUADS}u;
  if (quad >= s.quads) { return; }
  ${body()}
}`;
  return {
    ...identity,
    label: `rows_product${residual ? ' residual' : ''} f32[${count},${inDim}]${first > 0 ? ` from ${first}` : ''} x ${rows}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    sizes,
    cost: { bytes: productBytes(bindings, count / outDim), operations: 2 * rows * inDim * count },
  };
}

/** From `s`, `row` and `quad`, which are there, to the outputs; what is past the end repeats the last. */
function body(): string {
  const rows = range(ROWS);
  const columns = range(4 * QUADS);
  const sums = rows.flatMap((r) => range(QUADS).map((q) => ({ r, q })));
  const rowAt = (r: number): string => (r === 0 ? 'row' : `min(row + ${r}u, s.rows - 1u)`);
  const columnAt = (c: number): string =>
    c < 4 ? `(4u * quad + ${c}u)` : `min(4u * quad + ${c}u, 4u * s.quads - 1u)`;
  const dots = (r: number, q: number): string =>
    range(4)
      .map((c) => `dot(x${r}, w${4 * q + c})`)
      .join(', ');
  const stored = ({ r, q }: (typeof sums)[number]): string => {
    const at = `(row + ${r}u) * s.out_quads + s.first_quad + quad + ${q}u`;
    const store = `put(${at}, sum${r}_${q});`;
    const tests = [
      ...(r > 0 ? [`row + ${r}u < s.rows`] : []),
      ...(q > 0 ? [`quad + ${q}u < s.quads`] : []),
    ];
    return tests.length > 0 ? `if (${tests.join(' && ')}) { ${store} }` : store;
  };
  return `${rows.map((r) => `let row${r} = ${rowAt(r)} * s.in_quads;`).join('\n  ')}
  ${columns.map((c) => `let column${c} = ${columnAt(c)} * s.in_quads;`).join('\n  ')}
  ${sums.map(({ r, q }) => `var sum${r}_${q} = vec4f();`).join('\n  ')}
  for (var k = 0u; k < s.in_quads; k++) {
    ${columns.map((c) => `let w${c} = weight[column${c} + k];`).join('\n    ')}
    ${rows.map((r) => `let x${r} = x[row${r} + k];`).join('\n    ')}
    ${sums.map(({ r, q }) => `sum${r}_${q} += vec4f(${dots(r, q)});`).join('\n    ')}
  }
  ${sums.map(stored).join('\n  ')}`;
}
