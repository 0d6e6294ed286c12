/** Every kernel with representative parameters, for checks that want all of them. */
import { attention } from '../../kernels/attention/attention.ts';
import { attentionParts } from '../../kernels/attention/attention-parts.ts';
import { mergeAttention } from '../../kernels/attention/merge-attention.ts';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import { type Conv2dParams, conv2d, conv2dParts } from '../../kernels/conv/conv2d.ts';
import { spatialMix } from '../../kernels/conv/spatial-mix.ts';
import { spatialScores } from '../../kernels/conv/spatial-scores.ts';
import { sumParts } from '../../kernels/conv/sum-parts.ts';
import { toRgba } from '../../kernels/conv/to-rgba.ts';
import { winogradFilter } from '../../kernels/conv/winograd-filter.ts';
import { winogradInput } from '../../kernels/conv/winograd-input.ts';
import { winogradOutput } from '../../kernels/conv/winograd-output.ts';
import { winogradProduct } from '../../kernels/conv/winograd-product.ts';
import { codebookLookup } from '../../kernels/embed/codebook-lookup.ts';
import { embed } from '../../kernels/embed/embed.ts';
import { nearestCode } from '../../kernels/embed/nearest-code.ts';
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import { groupAffine } from '../../kernels/norm/group-affine.ts';
import { groupMoments } from '../../kernels/norm/group-moments.ts';
import { groupNorm } from '../../kernels/norm/group-norm.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { softmaxRows } from '../../kernels/norm/softmax-rows.ts';
import { type LinearParams, linear } from '../../kernels/product/linear.ts';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import { type MatmulParams, matmul } from '../../kernels/product/matmul.ts';
import { sumRows } from '../../kernels/product/sum-rows.ts';
import { siluMul, swiglu } from '../../kernels/product/swiglu.ts';
import { drawToken } from '../../kernels/sampler/draw-token.ts';
import { filterLogits } from '../../kernels/sampler/filter-logits.ts';
import { guidance } from '../../kernels/sampler/guidance.ts';
import { sampleToken } from '../../kernels/sampler/sample-token.ts';
import { MATRIX_DTYPES } from './weights.ts';

export interface ListedKernel {
  /** Name of the kernel and what is particular about the parameters. */
  readonly name: string;
  /** @param extra More parameters, or other values for those there are. */
  readonly kernel: (variant: Variant, extra?: object) => Kernel;
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

const products: readonly ListedKernel[] = MATRIX_DTYPES.flatMap((dtype) => [
  ...[1, 3, 8, 17].flatMap((rows) =>
    [70, 36].map((inDim) => ({
      name: `linear ${dtype} ${rows} rows of ${inDim}`,
      kernel: (variant: Variant, extra?: object) =>
        linear({ rows, inDim, outDim: 10, dtype, variant, ...extra }),
    })),
  ),
  {
    name: `linear ${dtype} norm residual`,
    kernel: (variant, extra) =>
      linear({
        rows: 5,
        inDim: 5,
        outDim: 6,
        dtype,
        normEps: 1e-5,
        residual: true,
        variant,
        ...extra,
      }),
  },
  {
    name: `linear_parts ${dtype}`,
    kernel: (variant, extra) =>
      linearParts({ rows: 3, inDim: 72, outDim: 10, dtype, split: 3, variant, ...extra }),
  },
  ...[65, 64].map((inDim) => ({
    name: `matmul ${dtype} 65 rows of ${inDim}`,
    kernel: (variant: Variant, extra?: object) =>
      matmul({ rows: 65, inDim, outDim: 70, dtype, variant, ...extra }),
  })),
  {
    name: `matmul ${dtype} residual`,
    kernel: (variant, extra) =>
      matmul({ rows: 5, inDim: 36, outDim: 7, dtype, residual: true, variant, ...extra }),
  },
  ...DTYPES.map((kvDtype) => ({
    name: `qkv_rope_cache ${dtype} weight, ${kvDtype} cache`,
    kernel: (variant: Variant, extra?: object) =>
      qkvRopeCache({
        ...{ ...KV, rows: 3, dim: 70, nHead: 4, normEps: 1e-5 },
        ...{ dtype, kvDtype, variant },
        ...extra,
      }),
  })),
  ...[5, 36].map((dim) => ({
    name: `swiglu ${dtype} dim ${dim}`,
    kernel: (variant: Variant, extra?: object) =>
      swiglu({ rows: 9, dim, hiddenDim: 10, normEps: 1e-5, dtype, variant, ...extra }),
  })),
]);

const tables: readonly ListedKernel[] = TABLE_DTYPES.flatMap((dtype) => [
  ...[10, 36].map((dim) => ({
    name: `embed ${dtype} dim ${dim}`,
    kernel: (variant: Variant, extra?: object) =>
      embed({
        ...{ rows: 4, capacity: 2, dim, vocabSize: 7, labels: 3, blockSize: 9 },
        ...{ dtype, variant },
        ...extra,
      }),
  })),
]);

const caches: readonly ListedKernel[] = DTYPES.flatMap((kvDtype) => [
  {
    name: `attention ${kvDtype} cache`,
    kernel: (variant, extra) => attention({ ...KV, rows: 3, nHead: 4, kvDtype, variant, ...extra }),
  },
  {
    name: `attention ${kvDtype} cache, masked`,
    kernel: (variant, extra) =>
      attention({ ...KV, rows: 5, nHead: 2, kvDtype, masked: true, variant, ...extra }),
  },
  {
    name: `attention_parts ${kvDtype} cache`,
    kernel: (variant, extra) =>
      attentionParts({ ...KV, rows: 3, nHead: 4, kvDtype, split: 4, variant, ...extra }),
  },
  {
    name: `attention_parts ${kvDtype} cache, masked`,
    kernel: (variant, extra) =>
      attentionParts({
        ...KV,
        rows: 5,
        nHead: 2,
        kvDtype,
        masked: true,
        split: 3,
        variant,
        ...extra,
      }),
  },
  {
    name: `rope_cache ${kvDtype} cache`,
    kernel: (_: Variant, extra?: object) =>
      ropeCache({ ...KV, rows: 5, nHead: 4, kvDtype, ...extra }),
  },
]);

const others: readonly ListedKernel[] = [
  ...[70, 36].map((dim) => ({
    name: `rms_norm dim ${dim}`,
    kernel: (variant: Variant, extra?: object) => rmsNorm({ rows: 3, dim, variant, ...extra }),
  })),
  {
    name: 'merge_attention',
    kernel: (_: Variant, extra?: object) =>
      mergeAttention({ rows: 3, nHead: 4, headDim: 20, positions: 17, split: 4, ...extra }),
  },
  {
    name: 'silu_mul',
    kernel: (_: Variant, extra?: object) => siluMul({ rows: 3, hiddenDim: 70, ...extra }),
  },
  {
    name: 'guidance',
    kernel: (_: Variant, extra?: object) =>
      guidance({ sequences: 2, rows: 4, vocabSize: 257, clsTokenNum: 1, ...extra }),
  },
  {
    name: 'filter_logits',
    kernel: (variant, extra) => filterLogits({ sequences: 2, vocabSize: 257, variant, ...extra }),
  },
  ...[2, 4].map((rows) => ({
    name: `draw_token ${rows} rows`,
    kernel: (variant: Variant, extra?: object) =>
      drawToken({
        sequences: 2,
        rows,
        capacity: 3,
        vocabSize: 257,
        blockSize: 9,
        clsTokenNum: 1,
        variant,
        ...extra,
      }),
  })),
  ...[2, 4].map((rows) => ({
    name: `sample_token ${rows} rows`,
    kernel: (variant: Variant, extra?: object) =>
      sampleToken({
        sequences: 2,
        rows,
        capacity: 3,
        vocabSize: 257,
        blockSize: 9,
        clsTokenNum: 1,
        variant,
        ...extra,
      }),
  })),
];

const MAP = { images: 2, height: 3, width: 5 } as const;
const CODES = { ...MAP, codebookSize: 50, codebookEmbedDim: 6 } as const;

const decoder: readonly ListedKernel[] = [
  ...DTYPES.flatMap((dtype) => {
    const sizes = { ...MAP, inChannels: 5, outChannels: 9, dtype, kernelSize: 3 } as const;
    const conv = (what: string, params: Partial<Conv2dParams>): ListedKernel => ({
      name: `conv2d ${dtype} ${what}`,
      kernel: (variant, extra) => conv2d({ ...sizes, ...params, variant, ...extra }),
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
        name: `conv2d_parts ${dtype}`,
        kernel: (variant: Variant, extra?: object) => {
          return conv2dParts({ ...sizes, variant, tile: { method: 'gemm', split: 2 }, ...extra });
        },
      },
      {
        name: `winograd_filter ${dtype}`,
        kernel: (_: Variant, extra?: object) =>
          winogradFilter({ inChannels: 5, outChannels: 9, dtype, ...extra }),
      },
      ...[true, false].flatMap((l2Norm) => [
        {
          name: `codebook_lookup ${dtype} l2Norm ${l2Norm}`,
          kernel: (_: Variant, extra?: object) =>
            codebookLookup({ ...CODES, l2Norm, dtype, ...extra }),
        },
        {
          name: `nearest_code ${dtype} l2Norm ${l2Norm}`,
          kernel: (_: Variant, extra?: object) =>
            nearestCode({ ...CODES, l2Norm, dtype, ...extra }),
        },
      ]),
    ];
  }),
  ...[true, false].map((swish) => ({
    name: `group_norm swish ${swish}`,
    kernel: (variant: Variant, extra?: object) =>
      groupNorm({ ...MAP, channels: 64, swish, variant, ...extra }),
  })),
  {
    name: 'softmax_rows',
    kernel: (variant, extra) => softmaxRows({ rows: 3, length: 70, variant, ...extra }),
  },
  {
    name: 'spatial_scores',
    kernel: (variant, extra) => spatialScores({ ...MAP, channels: 6, variant, ...extra }),
  },
  {
    name: 'spatial_mix',
    kernel: (variant, extra) => spatialMix({ ...MAP, channels: 6, variant, ...extra }),
  },
  {
    name: 'group_moments',
    kernel: (variant, extra) => groupMoments({ ...MAP, channels: 64, variant, ...extra }),
  },
  {
    name: 'group_affine',
    kernel: (_: Variant, extra?: object) => groupAffine({ ...MAP, channels: 64, ...extra }),
  },
  {
    name: 'sum_parts',
    kernel: (_: Variant, extra?: object) =>
      sumParts({ ...MAP, parts: 3, channels: 6, residual: true, ...extra }),
  },
  {
    name: 'sum_rows',
    kernel: (_: Variant, extra?: object) => sumRows({ parts: 3, rows: 2, dim: 70, ...extra }),
  },
  ...[true, false].map((upsample) => ({
    name: `winograd_input upsample ${upsample}`,
    kernel: (_: Variant, extra?: object) =>
      winogradInput({ ...MAP, channels: 6, upsample, ...extra }),
  })),
  {
    name: 'winograd_product',
    kernel: (variant, extra) =>
      winogradProduct({ inChannels: 6, outChannels: 5, tiles: 7, variant, ...extra }),
  },
  ...[
    { first: 0, count: 3 },
    { first: 3, count: 1 },
  ].map((part) => ({
    name: `winograd_output from ${part.first}`,
    kernel: (_: Variant, extra?: object) =>
      winogradOutput({ ...MAP, channels: 6, residual: true, part, ...extra }),
  })),
  { name: 'to_rgba', kernel: (_: Variant, extra?: object) => toRgba({ ...MAP, ...extra }) },
];

/** All kernels of this package. */
export const KERNELS: readonly ListedKernel[] = [
  ...products,
  ...tables,
  ...caches,
  ...others,
  ...decoder,
];
