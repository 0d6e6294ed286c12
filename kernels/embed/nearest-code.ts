import { type Binding, ceilDiv, declare, grid, type Kernel } from '../kernel.ts';
import { valueReader } from '../lib/accessors.ts';
import { finiteLib } from '../lib/finite.ts';
import { assertIndexable } from '../lib/indexable.ts';
import { assertParams } from '../lib/params.ts';
import { wgsl } from '../lib/wgsl-if.ts';
import type { CodebookParams } from './codebook.ts';
import { CODEBOOK_RULES } from './codebook.ts';

export type NearestCodeParams = CodebookParams;

export type NearestCodeBindings = {
  readonly latents: Binding<'in'>;
  readonly codebook: Binding<'in'>;
  readonly indices: Binding<'out'>;
};

/** Few positions, much work for each: small workgroups spread it over the device. */
const SIZE = 16;

/**
 * Vectors to codes: indices[n, y * width + x] = argmin_k |latents[n, :, y, x] - codebook[k]|^2, the
 * lowest k on ties; both sides normalised or neither. Where a latent, its length or every distance is not
 * finite, no code is nearest: NO_TOKEN.
 *
 * Shapes: latents f32 [images, codebookEmbedDim, height, width], codebook
 * [codebookSize, codebookEmbedDim], indices u32 [images, height * width]. Distances in f32, from
 * differences: the expanded form loses the digits that tell near neighbours apart.
 * One invocation per position.
 * Source: LlamaGen tokenizer/tokenizer_image/vq_model.py, VectorQuantizer.forward.
 */
export function nearestCode(params: NearestCodeParams): Kernel<NearestCodeBindings> {
  const identity = assertParams('nearest_code', params, CODEBOOK_RULES);
  const { images, height, width, codebookSize, codebookEmbedDim, l2Norm } = params;
  const { dtype = 'f32' } = params;
  const positions = height * width;
  const bindings: NearestCodeBindings = {
    latents: { role: 'in', dtype: 'f32', shape: [images, codebookEmbedDim, height, width] },
    codebook: { role: 'in', dtype, shape: [codebookSize, codebookEmbedDim] },
    indices: { role: 'out', dtype: 'u32', shape: [images, positions] },
  };
  assertIndexable('nearest_code', bindings);
  const [gx, gy] = grid(ceilDiv(images * positions, SIZE));
  const code = wgsl`
${declare(bindings)}
${finiteLib}
const POSITIONS = ${positions}u;
const DIM = ${codebookEmbedDim}u;
const MIN_LENGTH = 1e-12;
const FARTHEST = 3.4028234e38f;

${valueReader('codebook', dtype)}

@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let unit = (group.y * ${gx}u + group.x) * ${SIZE}u + lane;
  if (unit >= ${images * positions}u) { return; }
  let at = (unit / POSITIONS) * DIM * POSITIONS + unit % POSITIONS;
  var largest = 0u;
  for (var e = 0u; e < DIM; e++) { largest = max(largest, magnitude_of(latents[at + e * POSITIONS])); }
  var latent_scale = 1.0;
#if ${l2Norm}
  var latent_square = 0.0;
  for (var e = 0u; e < DIM; e++) {
    let z = latents[at + e * POSITIONS];
    latent_square += z * z;
  }
  largest = max(largest, magnitude_of(latent_square));
  latent_scale = 1.0 / max(sqrt(latent_square), MIN_LENGTH);
#endif
  var nearest = NO_TOKEN;
  var shortest = FARTHEST;
  for (var code = 0u; code < ${codebookSize}u; code++) {
    var code_scale = 1.0;
#if ${l2Norm}
    var square = 0.0;
    for (var e = 0u; e < DIM; e++) {
      let v = codebook_at(code * DIM + e);
      square += v * v;
    }
    code_scale = 1.0 / max(sqrt(square), MIN_LENGTH);
#endif
    var distance = 0.0;
    for (var e = 0u; e < DIM; e++) {
      let z = latents[at + e * POSITIONS] * latent_scale;
      let d = z - codebook_at(code * DIM + e) * code_scale;
      distance += d * d;
    }
    if (distance < shortest) {
      shortest = distance;
      nearest = code;
    }
  }
  indices[unit] = select(nearest, NO_TOKEN, largest >= INFINITE);
}`;
  return {
    ...identity,
    label: `nearest_code ${dtype}[${codebookSize},${codebookEmbedDim}]${l2Norm ? ' l2' : ''} <- [${images},${codebookEmbedDim},${height},${width}]`,
    code,
    bindings,
    workgroups: [gx, gy, 1],
    // Difference, square, sum.
    cost: { operations: 3 * images * positions * codebookSize * codebookEmbedDim },
  };
}
