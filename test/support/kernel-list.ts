/** Every kernel with representative parameters, for checks that want all of them. */
import { attention } from '../../kernels/attention.ts';
import { attentionParts } from '../../kernels/attention-parts.ts';
import { codebookLookup } from '../../kernels/codebook-lookup.ts';
import { type Conv2dParams, conv2d, conv2dParts, convTile } from '../../kernels/conv2d.ts';
import { drawToken } from '../../kernels/draw-token.ts';
import { embed } from '../../kernels/embed.ts';
import { filterLogits } from '../../kernels/filter-logits.ts';
import { groupAffine } from '../../kernels/group-affine.ts';
import { groupMoments } from '../../kernels/group-moments.ts';
import { groupNorm } from '../../kernels/group-norm.ts';
import { guidance } from '../../kernels/guidance.ts';
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import { type LinearParams, linear } from '../../kernels/linear.ts';
import { linearParts } from '../../kernels/linear-parts.ts';
import { type MatmulParams, matmul } from '../../kernels/matmul.ts';
import { mergeAttention } from '../../kernels/merge-attention.ts';
import { nearestCode } from '../../kernels/nearest-code.ts';
import { qkvRopeCache } from '../../kernels/qkv-rope-cache.ts';
import { rmsNorm } from '../../kernels/rms-norm.ts';
import { ropeCache } from '../../kernels/rope-cache.ts';
import { sampleToken } from '../../kernels/sample-token.ts';
import { softmaxRows } from '../../kernels/softmax-rows.ts';
import { spatialMix } from '../../kernels/spatial-mix.ts';
import { spatialScores } from '../../kernels/spatial-scores.ts';
import { sumParts } from '../../kernels/sum-parts.ts';
import { sumRows } from '../../kernels/sum-rows.ts';
import { siluMul, swiglu } from '../../kernels/swiglu.ts';
import { toRgba } from '../../kernels/to-rgba.ts';
import { winogradFilter } from '../../kernels/winograd-filter.ts';
import { winogradInput } from '../../kernels/winograd-input.ts';
import { winogradOutput } from '../../kernels/winograd-output.ts';
import { winogradProduct } from '../../kernels/winograd-product.ts';
import { MATRIX_DTYPES } from './weights.ts';

export interface ListedKernel {
  /** Name of the kernel and what is particular about the parameters. */
  readonly name: string;
  readonly kernel: (variant: Variant) => Kernel;
}

/** `linear` for parameters of which the type does not say which bindings they add. */
export const anyLinear = (params: LinearParams): Kernel =>
  linear({ ...params, residual: params.residual as true });

/** `matmul`, likewise. */
export const anyMatmul = (params: MatmulParams): Kernel =>
  matmul({ ...params, residual: params.residual as true });

const DTYPES = ['f32', 'f16'] as const;
const TABLE_DTYPES = [...DTYPES, 'bf16'] as const;

/** A small cache; head size 20 is no power of two. */
const KV = { slots: 3, nKvHead: 2, positions: 17, headDim: 20 } as const;

const products: readonly ListedKernel[] = MATRIX_DTYPES.flatMap((weightDtype) => [
  ...[1, 3, 8, 17].flatMap((rows) =>
    [70, 36].map((inDim) => ({
      name: `linear ${weightDtype} ${rows} rows of ${inDim}`,
      kernel: (variant: Variant) => linear({ rows, inDim, outDim: 10, weightDtype, variant }),
    })),
  ),
  {
    name: `linear ${weightDtype} norm residual`,
    kernel: (variant) =>
      linear({ rows: 5, inDim: 5, outDim: 6, weightDtype, normEps: 1e-5, residual: true, variant }),
  },
  {
    name: `linear_parts ${weightDtype}`,
    kernel: (variant) =>
      linearParts({ rows: 3, inDim: 72, outDim: 10, weightDtype, split: 3, variant }),
  },
  ...[65, 64].map((inDim) => ({
    name: `matmul ${weightDtype} 65 rows of ${inDim}`,
    kernel: (variant: Variant) => matmul({ rows: 65, inDim, outDim: 70, weightDtype, variant }),
  })),
  {
    name: `matmul ${weightDtype} residual`,
    kernel: (variant) =>
      matmul({ rows: 5, inDim: 36, outDim: 7, weightDtype, residual: true, variant }),
  },
  ...DTYPES.map((kvDtype) => ({
    name: `qkv_rope_cache ${weightDtype} weight, ${kvDtype} cache`,
    kernel: (variant: Variant) =>
      qkvRopeCache({
        ...{ ...KV, rows: 3, dim: 70, nHead: 4, normEps: 1e-5 },
        ...{ weightDtype, kvDtype, variant },
      }),
  })),
  ...[5, 36].map((dim) => ({
    name: `swiglu ${weightDtype} dim ${dim}`,
    kernel: (variant: Variant) =>
      swiglu({ rows: 9, dim, hiddenDim: 10, normEps: 1e-5, weightDtype, variant }),
  })),
]);

const tables: readonly ListedKernel[] = TABLE_DTYPES.flatMap((weightDtype) => [
  ...[10, 36].map((dim) => ({
    name: `embed ${weightDtype} dim ${dim}`,
    kernel: (variant: Variant) =>
      embed({
        ...{ rows: 4, slots: 4, sequences: 2, dim, vocabSize: 7, labels: 3, blockSize: 9 },
        ...{ weightDtype, variant },
      }),
  })),
]);

const caches: readonly ListedKernel[] = DTYPES.flatMap((kvDtype) => [
  {
    name: `attention ${kvDtype} cache`,
    kernel: (variant) => attention({ ...KV, rows: 3, nHead: 4, kvDtype, variant }),
  },
  {
    name: `attention ${kvDtype} cache, masked`,
    kernel: (variant) => attention({ ...KV, rows: 5, nHead: 2, kvDtype, masked: true, variant }),
  },
  {
    name: `attention_parts ${kvDtype} cache`,
    kernel: (variant) => attentionParts({ ...KV, rows: 3, nHead: 4, kvDtype, split: 4, variant }),
  },
  {
    name: `attention_parts ${kvDtype} cache, masked`,
    kernel: (variant) =>
      attentionParts({ ...KV, rows: 5, nHead: 2, kvDtype, masked: true, split: 3, variant }),
  },
  {
    name: `rope_cache ${kvDtype} cache`,
    kernel: () => ropeCache({ ...KV, rows: 5, nHead: 4, kvDtype }),
  },
]);

const others: readonly ListedKernel[] = [
  ...[70, 36].map((dim) => ({
    name: `rms_norm dim ${dim}`,
    kernel: (variant: Variant) => rmsNorm({ rows: 3, dim, variant }),
  })),
  {
    name: 'merge_attention',
    kernel: () => mergeAttention({ rows: 3, nHead: 4, headDim: 20, positions: 17, split: 4 }),
  },
  { name: 'silu_mul', kernel: () => siluMul({ rows: 3, hiddenDim: 70 }) },
  { name: 'guidance', kernel: () => guidance({ sequences: 2, vocabSize: 257, clsTokenNum: 1 }) },
  {
    name: 'filter_logits',
    kernel: (variant) => filterLogits({ sequences: 2, vocabSize: 257, variant }),
  },
  ...[2, 4].map((rows) => ({
    name: `draw_token ${rows} rows`,
    kernel: (variant: Variant) =>
      drawToken({ sequences: 2, rows, vocabSize: 257, blockSize: 9, clsTokenNum: 1, variant }),
  })),
  ...[2, 4].map((rows) => ({
    name: `sample_token ${rows} rows`,
    kernel: (variant: Variant) =>
      sampleToken({ sequences: 2, rows, vocabSize: 257, blockSize: 9, clsTokenNum: 1, variant }),
  })),
];

const MAP = { images: 2, height: 3, width: 5 } as const;
const CODES = { ...MAP, codebookSize: 50, codebookEmbedDim: 6 } as const;

const decoder: readonly ListedKernel[] = [
  ...DTYPES.flatMap((weightDtype) => {
    const sizes = { ...MAP, inChannels: 5, outChannels: 9, weightDtype, kernelSize: 3 } as const;
    const conv = (what: string, params: Partial<Conv2dParams>): ListedKernel => ({
      name: `conv2d ${weightDtype} ${what}`,
      kernel: (variant) => conv2d({ ...sizes, ...params, variant }),
    });
    return [
      conv('1x1', { kernelSize: 1 }),
      conv('3x3', {}),
      conv('residual', { residual: true }),
      conv('upsample', { upsample: true }),
      conv('stride 2', { stride: 2 }),
      conv('norm', { norm: 'plain', kernelSize: 1 }),
      conv('norm swish', { norm: 'swish' }),
      {
        name: `conv2d ${weightDtype} in parts`,
        kernel: (variant: Variant) => {
          const params = { ...sizes, variant };
          return conv2dParts(params, { ...convTile(params), split: 2 });
        },
      },
      {
        name: `winograd_filter ${weightDtype}`,
        kernel: () => winogradFilter({ inChannels: 5, outChannels: 9, weightDtype }),
      },
      ...[true, false].flatMap((l2Norm) => [
        {
          name: `codebook_lookup ${weightDtype} l2Norm ${l2Norm}`,
          kernel: () => codebookLookup({ ...CODES, l2Norm, weightDtype }),
        },
        {
          name: `nearest_code ${weightDtype} l2Norm ${l2Norm}`,
          kernel: () => nearestCode({ ...CODES, l2Norm, weightDtype }),
        },
      ]),
    ];
  }),
  ...[true, false].map((swish) => ({
    name: `group_norm swish ${swish}`,
    kernel: (variant: Variant) => groupNorm({ ...MAP, channels: 64, swish, variant }),
  })),
  { name: 'softmax_rows', kernel: (variant) => softmaxRows({ rows: 3, length: 70, variant }) },
  {
    name: 'spatial_scores',
    kernel: (variant) => spatialScores({ ...MAP, channels: 6, variant }),
  },
  { name: 'spatial_mix', kernel: (variant) => spatialMix({ ...MAP, channels: 6, variant }) },
  {
    name: 'group_moments',
    kernel: (variant) => groupMoments({ ...MAP, channels: 64, variant }),
  },
  { name: 'group_affine', kernel: () => groupAffine({ ...MAP, channels: 64 }) },
  { name: 'sum_parts', kernel: () => sumParts({ ...MAP, parts: 3, channels: 6, residual: true }) },
  { name: 'sum_rows', kernel: () => sumRows({ parts: 3, rows: 2, dim: 70 }) },
  ...[true, false].map((upsample) => ({
    name: `winograd_input upsample ${upsample}`,
    kernel: () => winogradInput({ ...MAP, channels: 6, upsample }),
  })),
  {
    name: 'winograd_product',
    kernel: (variant) => winogradProduct({ inChannels: 6, outChannels: 5, tiles: 7, variant }),
  },
  ...[
    { first: 0, count: 3 },
    { first: 3, count: 1 },
  ].map((part) => ({
    name: `winograd_output from ${part.first}`,
    kernel: () => winogradOutput({ ...MAP, channels: 6, residual: true, part }),
  })),
  { name: 'to_rgba', kernel: () => toRgba(MAP) },
];

/** All kernels of this package. */
export const KERNELS: readonly ListedKernel[] = [
  ...products,
  ...tables,
  ...caches,
  ...others,
  ...decoder,
];
