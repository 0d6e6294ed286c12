import { byteLength } from '../cost.ts';
import { type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { wgsl } from '../lib/wgsl-if.ts';
import type { CodebookParams } from './codebook.ts';
import { CODEBOOK_RULES } from './codebook.ts';

export type CodebookLookupParams = CodebookParams;

export type CodebookLookupBindings = {
  readonly codes: Binding<'in'>;
  readonly codebook: Binding<'in'>;
  readonly zq: Binding<'out'>;
};

const SIZE = 64;

/**
 * Codes to vectors: zq[n, e, y, x] = codebook[codes[n, y * width + x], e], normalised or not.
 * A code outside the codebook gives NaN, never another vector.
 *
 * Shapes: codes u32 [images, height * width], codebook [codebookSize, codebookEmbedDim], zq f32
 * [images, codebookEmbedDim, height, width]. One invocation per code.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, VectorQuantizer.get_codebook_entry.
 */
export function codebookLookup(params: CodebookLookupParams): Kernel<CodebookLookupBindings> {
  const identity = assertParams('codebook_lookup', params, CODEBOOK_RULES);
  const { images, height, width, codebookSize, codebookEmbedDim, l2Norm } = params;
  const { dtype = 'f32' } = params;
  const positions = height * width;
  const bindings: CodebookLookupBindings = {
    codes: { role: 'in', dtype: 'u32', shape: [images, positions] },
    codebook: { role: 'in', dtype, shape: [codebookSize, codebookEmbedDim] },
    // Written as bits: WGSL lets an implementation assume that floats are never NaN.
    zq: {
      role: 'out',
      dtype: 'f32',
      shape: [images, codebookEmbedDim, height, width],
      element: 'u32',
    },
  };
  assertIndexable('codebook_lookup', bindings);
  const [gx, gy] = grid(ceilDiv(images * positions, SIZE));
  const code = wgsl`
${declare(bindings)}
const POSITIONS = ${positions}u;
const DIM = ${codebookEmbedDim}u;
const NAN_BITS = 0x7fc00000u;
const MIN_LENGTH = 1e-12;

${valueReader('codebook', dtype)}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${images * positions}u) { return; }
  let code = codes[unit];
  let known = code < ${codebookSize}u;
  let row = min(code, ${codebookSize - 1}u) * DIM;
  var scale = 1.0;
#if ${l2Norm}
  var square = 0.0;
  for (var e = 0u; e < DIM; e++) { square += codebook_at(row + e) * codebook_at(row + e); }
  scale = 1.0 / max(sqrt(square), MIN_LENGTH);
#endif
  let image = unit / POSITIONS;
  let at = image * DIM * POSITIONS + unit % POSITIONS;
  for (var e = 0u; e < DIM; e++) {
    let bits = bitcast<u32>(codebook_at(row + e) * scale);
    zq[at + e * POSITIONS] = select(NAN_BITS, bits, known);
  }
}`;
  return {
    ...identity,
    label: `codebook_lookup ${dtype}[${codebookSize},${codebookEmbedDim}]${l2Norm ? ' l2' : ''} -> [${images},${codebookEmbedDim},${height},${width}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    // Of the codebook the vectors that are looked up.
    cost: { bytes: byteLength(bindings.codes) + 2 * byteLength(bindings.zq) },
  };
}
