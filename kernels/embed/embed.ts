import { byteLength } from '../cost.ts';
import {
  assert,
  assertGrid,
  assertSizes,
  type Binding,
  ceilDiv,
  declare,
  type Kernel,
  type TableDType,
} from '../kernel.ts';
import { quads, rowBinding, rowReader, rowWriter } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { NO_ROW, rowLib, rowTableBinding } from '../lib/row-table.ts';
import * as rule from '../lib/rules.ts';
import { wgsl } from '../lib/wgsl.ts';

export interface EmbedParams {
  readonly rows: number;
  /** Lines of `tokens`: sequences that there may be at once. */
  readonly capacity: number;
  readonly dim: number;
  readonly vocabSize: number;
  /**
   * Rows of the token table that are bound, for tables larger than one binding; default all. A part
   * after the first changes the rows of `out` whose token it holds, and no others.
   */
  readonly held?: { readonly first: number; readonly count: number } | undefined;
  /** Rows of the label table: classes plus the unconditional one, or the condition tokens of all slots. */
  readonly labels: number;
  /** Storage of the label table. Default that of the token table. */
  readonly labelDtype?: TableDType | undefined;
  /** Condition tokens in front of the image. Default 1. */
  readonly clsTokenNum?: number | undefined;
  /** Tokens in a grid. */
  readonly blockSize: number;
  readonly dtype?: TableDType | undefined;
}

export type EmbedBindings = {
  readonly rowTable: Binding<'in'>;
  readonly tokens: Binding<'in'>;
  readonly labelTable: Binding<'in'>;
  readonly tokenTable: Binding<'in'>;
  readonly out: Binding<'out'>;
};

/**
 * Input of the decoder. Positions before clsTokenNum are the condition, the class or a caption:
 * out[r] = labelTable[condition + p]; position p from there on is the token before:
 * out[r] = tokenTable[tokens[sequence, p - clsTokenNum]]. No position is added. A token or
 * class outside its table gives NaN, never another row; so does a position past the grid. Idle rows are
 * left alone.
 *
 * Shapes: rowTable u32 [rows, 4] (`Row`), tokens u32 [capacity, blockSize], labelTable [labels, dim], tokenTable [vocabSize, dim], out f32 [rows, dim].
 * Source: LlamaGen autoregressive/models/gpt.py, LabelEmbedder, CaptionEmbedder and tok_embeddings.
 */
export function embed(params: EmbedParams): Kernel<EmbedBindings> {
  const identity = assertParams('embed', params, {
    rows: rule.size,
    capacity: rule.size,
    dim: rule.size,
    vocabSize: rule.size,
    labels: rule.size,
    labelDtype: rule.optional(rule.tableDtype),
    clsTokenNum: rule.optional(rule.size),
    blockSize: rule.size,
    held: rule.optional(rule.part),
    dtype: rule.optional(rule.tableDtype),
  });
  const { rows, capacity, dim, vocabSize, labels, blockSize } = params;
  const { dtype = 'f32', labelDtype = dtype, clsTokenNum = 1 } = params;
  const { held = { first: 0, count: vocabSize } } = params;
  const later = held.first > 0;
  assertSizes('embed', { held: held.count });
  assert(
    Number.isInteger(held.first) && held.first >= 0 && held.first + held.count <= vocabSize,
    `embed: tokens ${held.first} .. ${held.first + held.count - 1} expected to be in 0 .. ${vocabSize - 1}`,
  );
  const bindings: EmbedBindings = {
    rowTable: rowTableBinding('in', rows),
    tokens: { role: 'in', dtype: 'u32', shape: [capacity, blockSize] },
    labelTable: rowBinding('in', [labels, dim], labelDtype),
    tokenTable: rowBinding('in', [held.count, dim], dtype),
    // A part after the first is given the output of the first; the type is that of a whole kernel.
    out: rowBinding(later ? ('inout' as 'out') : 'out', [rows, dim]),
  };
  assertIndexable('embed', bindings);
  const size = 64;
  const one = clsTokenNum === 1;
  const code = wgsl`${rowLib}
${declare(bindings)}
${rowReader({ name: 'labelTable', dtype: labelDtype, length: dim })}
${rowReader({ name: 'tokenTable', dtype, length: dim })}
${rowWriter({ name: 'out', dtype: 'f32', length: dim })}
@compute @workgroup_size(${size})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let i = id.x;
  let stands = rowTable[row];
  let position = stands.position;
  if (i >= ${quads(dim)}u || position == ${NO_ROW}u) { return; }
  var v = vec4f(bitcast<f32>(0x7fc00000u | (position & 0u)));
  var held = ${!later};
  if (position < ${clsTokenNum}u) {
    let line = stands.condition${one ? '' : ' + position'};
    if (${one ? '' : `stands.condition < ${labels}u && `}line < ${labels}u) { v = labelTable_at(line, i); }
  } else if (position < ${blockSize + clsTokenNum}u) {
    let index = tokens[stands.sequence * ${blockSize}u + position - ${clsTokenNum}u] - ${held.first}u;
    if (index < ${held.count}u) { v = tokenTable_at(index, i); held = true; }
  }
  if (held) { out_put(row, i, v); }
}`;
  return {
    ...identity,
    label: `embed ${dtype}[${held.count},${dim}]${clsTokenNum > 1 ? ` behind ${clsTokenNum}` : ''}${later ? ` from ${held.first}` : ''} x ${rows}`,
    code,
    bindings,
    workgroups: assertGrid(`embed: ${rows} rows of ${dim}`, [ceilDiv(quads(dim), size), rows, 1]),
    cost: { bytes: byteLength(bindings.out) + byteLength({ dtype, shape: [rows, dim] }) },
  };
}
