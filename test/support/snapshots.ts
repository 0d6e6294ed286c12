/**
 * Kernels whose texts are kept in `kernels/FOLDER/snapshots`, by FOLDER/FILE: some in several variants, and
 * of each other one that every device runs, at the sizes of its record.
 */

import { attention } from '../../kernels/attention/attention.ts';
import { promptAttention } from '../../kernels/attention/prompt-attention.ts';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { convDirect } from '../../kernels/conv/conv-direct.ts';
import { conv2d } from '../../kernels/conv/conv2d.ts';
import { textureRows } from '../../kernels/conv/texture-rows.ts';
import { toRgba } from '../../kernels/conv/to-rgba.ts';
import { winogradInput } from '../../kernels/conv/winograd-input.ts';
import { embed } from '../../kernels/embed/embed.ts';
import { type Kernel, PORTABLE, type Variant } from '../../kernels/kernel.ts';
import { groupNorm } from '../../kernels/norm/group-norm.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { linear } from '../../kernels/product/linear.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { rowsProduct } from '../../kernels/product/rows-product.ts';
import { swiglu } from '../../kernels/product/swiglu.ts';
import { advance } from '../../kernels/sampler/advance.ts';
import { sampleToken } from '../../kernels/sampler/sample-token.ts';
import { FOLDERS } from '../records/index.ts';
import { hasVariants, withVariant } from '../records/record.ts';

const serial: Variant = { reduce: 'serial', f16: false };
const lanes: Variant = { reduce: 'serial', f16: false, lanes: 4 };
const workgroup: Variant = { reduce: 'workgroup', f16: false };
const subgroup: Variant = { reduce: 'subgroup', f16: true, lanes: 32 };
const matrix: Variant = {
  ...{ ...subgroup, halves: true },
  matrix: matrixConfig({ m: 16, n: 16, k: 16, operand: 'f16', lanes: 32 }),
};

/** Sizes of GPT-B and of the tokenizer, for one guided image. */
const [rows, dim, normEps] = [2, 768, 1e-5];
const kv = { slots: 2, nKvHead: 12, positions: 257, headDim: 64 };
const heads = { rows, nHead: 12, ...kv };
const prompts = { rows: 24, nHead: 4, headDim: 64, buckets: 32, reach: 128 };
const grid = { vocabSize: 16384, blockSize: 256 };
const map = { images: 1, height: 16, width: 16 };
const conv = { ...map, inChannels: 64, outChannels: 32, kernelSize: 3 } as const;

const CHOSEN: Readonly<Record<string, Kernel>> = {
  'product/linear-serial': linear({ rows, inDim: dim, outDim: dim, variant: serial }),
  'product/linear-subgroup-f16': linear({
    ...{ rows, inDim: dim, outDim: dim, normEps, dtype: 'f16', variant: subgroup },
  }),
  'product/linear-matrix-f16': linear({
    ...{ rows: 16, inDim: dim, outDim: dim, dtype: 'f16', variant: matrix },
    tile: { math: 'matrix' },
  }),
  'product/swiglu-serial': swiglu({ rows, dim, hiddenDim: 2048, normEps, variant: serial }),
  'product/matmul-workgroup': matmul({ rows: 514, inDim: dim, outDim: dim, variant: workgroup }),
  'product/rows-product': rowsProduct({ rows: 24, inDim: 256, outDim: 256, residual: true }),
  'attention/qkv-rope-cache-serial': qkvRopeCache({ ...heads, dim, normEps, variant: serial }),
  'attention/attention-serial': attention({ ...heads, headDim: 16, variant: serial }),
  'attention/attention-subgroup-f16': attention({ ...heads, kvDtype: 'f16', variant: subgroup }),
  'attention/prompt-attention-serial': promptAttention({ ...prompts, variant: serial }),
  'attention/prompt-attention-subgroup': promptAttention({ ...prompts, variant: subgroup }),
  'sampler/sample-token-workgroup': sampleToken({
    ...{ sequences: 1, rows, vocabSize: 16384, clsTokenNum: 1, variant: workgroup },
  }),
  'sampler/advance-workgroup': advance({
    ...{ rows: 16, capacity: 2, blockSize: 256, gridSize: 16, clsTokenNum: 1, variant: workgroup },
  }),
  'embed/embed-f16': embed({
    ...{ ...grid, rows, capacity: 1, dim, labels: 1001, dtype: 'f16' },
  }),
  'norm/rms-norm-workgroup': rmsNorm({ rows, dim, variant: workgroup }),
  'norm/group-norm-serial': groupNorm({ ...map, channels: 64, swish: true, variant: serial }),
  'conv/conv-direct': convDirect(conv),
  'conv/conv2d-workgroup': conv2d({ ...conv, norm: 'swish', variant: workgroup }),
  'conv/conv2d-1x1-quads': conv2d({ ...conv, kernelSize: 1, variant: lanes }),
  'conv/winograd-input': winogradInput({ ...map, channels: 64 }),
  'conv/texture-rows': textureRows({ ...map, stride: 64, blueFirst: true }),
  'conv/to-rgba': toRgba({ ...map }),
};

/** Portable ones, of kernels that are not among those. */
function others(): [path: string, kernel: Kernel][] {
  const chosen = new Set(Object.values(CHOSEN).map(({ name }) => name));
  return [...FOLDERS].flatMap(([folder, records]) =>
    records
      .filter(({ name }) => !chosen.has(name))
      .map((record): [string, Kernel] => {
        const params = withVariant(record, record.shown, PORTABLE);
        const suffix = hasVariants(record) ? `-${PORTABLE.reduce}` : '';
        return [`${folder}/${record.name.replaceAll('_', '-')}${suffix}`, record.kernel(params)];
      }),
  );
}

export const SNAPSHOTS: Readonly<Record<string, Kernel>> = {
  ...CHOSEN,
  ...Object.fromEntries(others()),
};

/** Where a text is kept, from the root of the repository. */
export const snapshotFile = (path: string): string =>
  `kernels/${path.replace('/', '/snapshots/')}.wgsl`;
