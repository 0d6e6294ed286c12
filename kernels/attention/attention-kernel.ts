/** What attention in one dispatch and attention in parts share. */
import { byteLength } from '../cost.ts';
import {
  assert,
  assertSizes,
  type Binding,
  type Bindings,
  type Cost,
  type Dispatch,
  declare,
  enable,
  grid,
  PORTABLE,
  type Variant,
} from '../kernel.ts';
import { rowBinding, rowReader, rowWriter, variantFeatures } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { laneBuiltins } from '../lib/reduce.ts';
import { rowLib, rowTableBinding } from '../lib/row-table.ts';
import { wgsl } from '../lib/wgsl.ts';
import { type AttentionBody, serialBody, sharedBody } from './attention-body.ts';
import {
  type AttentionShape,
  type AttentionTile,
  attentionTile,
  type Cut,
} from './attention-tile.ts';
import { kvBinding, kvLib } from './kv-cache.ts';

export interface AttentionParams extends AttentionShape {
  readonly rows: number;
  /** Add the binding `mask`: columns that no row but their own may attend to. */
  readonly masked?: boolean | undefined;
  readonly variant?: Variant | undefined;
  /** Settings that differ from the own choice. */
  readonly tile?: Partial<AttentionTile> | undefined;
}

export interface AttentionForm {
  /** First word of the label, and the name in errors. */
  readonly name: string;
  readonly cut: Cut;
  /** What is written; one is `out`. */
  readonly outs: Readonly<Record<string, Binding<'out'>>>;
  /** WGSL: what `out` holds, from `sum` of exp(score - best) * value and `weight`, that of the exps. */
  readonly result: string;
  /** WGSL: a statement that one invocation of each unit runs, with `unit`, `best` and `weight`. */
  readonly end?: string | undefined;
}

/** Throws a RangeError unless there can be such heads in such a cache. */
export function assertAttention(name: string, params: Omit<AttentionParams, 'variant'>): void {
  const { rows, nHead, nKvHead, headDim, slots, positions } = params;
  assertSizes(name, { rows, nHead, nKvHead, headDim, slots, positions });
  assert(nHead % nKvHead === 0, `${name}: nHead ${nHead} is not a multiple of nKvHead ${nKvHead}`);
}

/** The dispatch of `q`, `kv`, `rowTable`, with `masked` of `mask`, and what its form writes. */
export function attentionKernel(params: AttentionParams, form: AttentionForm): Dispatch {
  const { rows, nHead, nKvHead, headDim, slots, positions, kvDtype = 'f32' } = params;
  const { masked = false, variant = PORTABLE } = params;
  const { name, cut, outs, result, end = '' } = form;
  const { reduce } = variant;
  const bindings: Bindings = {
    q: rowBinding('in', [rows, nHead * headDim]),
    kv: kvBinding('in', params, variant),
    rowTable: rowTableBinding('in', rows),
    ...(masked && { mask: { role: 'in', dtype: 'u32', shape: [slots, positions] } }),
    ...outs,
  };
  assertIndexable(name, bindings);
  const tile = attentionTile(name, params, cut.columns, variant, params.tile);
  const units = rows * nHead * cut.parts;
  const quads = headDim / 4;
  const body: AttentionBody = { cut, tile, units, quads, masked, end };
  const { before, main, workgroups } =
    reduce === 'serial' ? serialBody(body) : sharedBody(body, reduce);
  const [gx, gy] = grid(workgroups);
  const features = variantFeatures(variant, kvDtype === 'f16');
  const code = wgsl`${enable(features)}
${rowLib}
${declare(bindings)}
const SCALE = f32(${1 / Math.sqrt(headDim)});
${rowReader({ name: 'q', dtype: 'f32', length: headDim })}
${rowReader({ name: 'kv', dtype: kvDtype, length: headDim, nativeF16: variant.f16 })}
${rowWriter({ name: 'out', dtype: 'f32', length: headDim })}
${kvLib(params)}
${partLib(params, cut)}
${masked ? maskLib(positions) : ''}
fn result(sum: vec4f, weight: f32) -> vec4f { return ${result}; }
${before}
@compute @workgroup_size(${tile.size})
fn main(@builtin(workgroup_id) group: vec3u, ${laneBuiltins(reduce)}) {
  let index = group.y * ${gx}u + group.x;
${main}
}`;
  return {
    label: `${name} ${kvDtype}[${nHead}/${nKvHead},${headDim}] x ${rows}`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    features,
    cost: meanCost(params, bindings),
  };
}

/**
 * WGSL: what a unit, a part of the positions of a row and head, attends to: `count` columns from `first`,
 * whose keys and values are the rows of the cache from `keys` and `values`. There are none past the
 * row's position, and in rows that stand past the cache.
 */
function partLib({ nHead, nKvHead, positions }: AttentionParams, { parts, columns }: Cut): string {
  const kvHead = `head / ${nHead / nKvHead}u`;
  return `
struct Part {
  pair: u32,
  slot: u32,
  position: u32,
  first: u32,
  count: u32,
  keys: u32,
  values: u32,
}
fn part_of(unit: u32) -> Part {
  let pair = unit / ${parts}u;
  let first = unit % ${parts}u * ${columns}u;
  let row = pair / ${nHead}u;
  let head = pair % ${nHead}u;
  let slot = rowTable[row].slot;
  let position = rowTable[row].position;
  if (position >= ${positions}u || first > position) { return Part(); }
  let count = min(position + 1u - first, ${columns}u);
  let keys = kv_row(0u, slot, ${kvHead}, first);
  let values = kv_row(1u, slot, ${kvHead}, first);
  return Part(pair, slot, position, first, count, keys, values);
}`;
}

/** WGSL: whether a part may attend to its column j. */
const maskLib = (positions: number): string => `
fn allowed(part: Part, j: u32) -> bool {
  let column = part.first + j;
  return column == part.position || mask[part.slot * ${positions}u + column] != 0u;
}`;

/** What attention moves and computes on average over the positions of a sequence: half of the cache. */
function meanCost({ rows, nHead, headDim, positions }: AttentionParams, bindings: Bindings): Cost {
  const mean = (positions + 1) / 2;
  const bytes = Object.entries(bindings).reduce(
    (sum, [name, binding]) => sum + byteLength(binding) * (name === 'kv' ? mean / positions : 1),
    0,
  );
  return { bytes, operations: 4 * rows * nHead * headDim * mean };
}
