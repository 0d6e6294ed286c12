/** Parameters and tiles that kernels refuse: each message says which, and what it may be. */
import { describe, expect, test } from 'vitest';
import { attention } from '../../kernels/attention/attention.ts';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { ropeCache } from '../../kernels/attention/rope-cache.ts';
import { convDirect } from '../../kernels/conv/conv-direct.ts';
import { convFew } from '../../kernels/conv/conv-few.ts';
import { conv2d } from '../../kernels/conv/conv2d.ts';
import { conv2dParts } from '../../kernels/conv/conv2d-parts.ts';
import { sumParts } from '../../kernels/conv/sum-parts.ts';
import { toRgba } from '../../kernels/conv/to-rgba.ts';
import { embed } from '../../kernels/embed/embed.ts';
import { rmsNorm } from '../../kernels/norm/rms-norm.ts';
import { linear } from '../../kernels/product/linear.ts';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import { siluMul } from '../../kernels/product/silu-mul.ts';
import { sumRows } from '../../kernels/product/sum-rows.ts';
import { swiglu } from '../../kernels/product/swiglu.ts';
import { advance } from '../../kernels/sampler/advance.ts';
import { drawToken } from '../../kernels/sampler/draw-token.ts';
import { filterLogits } from '../../kernels/sampler/filter-logits.ts';
import { guidance } from '../../kernels/sampler/guidance.ts';
import { sampleToken } from '../../kernels/sampler/sample-token.ts';
import { packed, sampling } from '../support/sampling.ts';

const KV = { slots: 2, nKvHead: 2, positions: 17, headDim: 8 };
const product = { rows: 2, inDim: 8, outDim: 8 };
const qkv = { ...KV, rows: 2, dim: 8, nHead: 2, normEps: 1e-5 };
const tables = { rows: 2, capacity: 1, dim: 8, vocabSize: 9, labels: 3, blockSize: 4 };
const grid = { sequences: 2, rows: 4, vocabSize: 9, clsTokenNum: 1 };
const windows = { rows: 4, capacity: 2, blockSize: 4, gridSize: 2, clsTokenNum: 1 };
const serial = { reduce: 'serial', f16: false } as const;

const map = {
  images: 1,
  inChannels: 4,
  outChannels: 4,
  height: 4,
  width: 4,
  kernelSize: 3,
} as const;

/** What callers without types may give. */
const given = <T>(params: T, wrong?: object): T =>
  wrong === undefined ? params : { ...params, ...wrong };

/** Each message names the kernel, the parameter and the value. */
const refused: readonly [message: RegExp, make: () => unknown][] = [
  [/rms_norm: "rows".* 0$/, () => rmsNorm({ rows: 0, dim: 4 })],
  [/rms_norm: "dim".* 2\.5$/, () => rmsNorm({ rows: 1, dim: 2.5 })],
  [/rms_norm: "eps".* NaN$/, () => rmsNorm({ rows: 1, dim: 4, eps: Number.NaN })],
  [/linear: "inDim".* -1$/, () => linear({ ...product, inDim: -1 })],
  [/linear: "outDim".* NaN$/, () => linear({ ...product, outDim: Number.NaN })],
  [/linear: "normEps".* -1$/, () => linear({ ...product, normEps: -1 })],
  [/matmul: "rows".* 0$/, () => matmul({ ...product, rows: 0 })],
  [/matmul: .*5000000/, () => matmul({ ...product, rows: 5000000 })],
  [/matmul: "rows".* 0$/, () => matmul({ ...product, rows: 0, variant: serial })],
  [/swiglu: "hiddenDim".* 0$/, () => swiglu({ rows: 1, dim: 4, hiddenDim: 0, normEps: 0 })],
  [/swiglu: "dim".* Infinity$/, () => swiglu({ rows: 1, dim: 1 / 0, hiddenDim: 4, normEps: 0 })],
  [/silu_mul: "rows".* -3$/, () => siluMul({ rows: -3, hiddenDim: 4 })],
  [/qkv_rope_cache: "dim".* 0$/, () => qkvRopeCache({ ...qkv, dim: 0 })],
  [/qkv_rope_cache: "positions".* 0$/, () => qkvRopeCache({ ...qkv, positions: 0 })],
  [/nHead 3 .*nKvHead 2$/, () => qkvRopeCache({ ...qkv, nHead: 3 })],
  [/headDim 6 is not a multiple of 4$/, () => qkvRopeCache({ ...qkv, headDim: 6 })],
  [/rope_cache: "slots".* 1\.5$/, () => ropeCache({ ...KV, rows: 1, nHead: 2, slots: 1.5 })],
  [/nHead 3 .*nKvHead 2$/, () => ropeCache({ ...KV, rows: 1, nHead: 3 })],
  [/attention: "rows".* 0$/, () => attention({ ...KV, rows: 0, nHead: 2 })],
  [/attention: "positions".* 0$/, () => attention({ ...KV, rows: 1, nHead: 2, positions: 0 })],
  [/attention: nHead 3 .*nKvHead 2$/, () => attention({ ...KV, rows: 1, nHead: 3 })],
  [/linear_parts: "rows".* 0$/, () => linearParts({ ...product, rows: 0, split: 2 })],
  [/linear_parts: "split".* 1 to 16, got 17$/, () => linearParts({ ...product, split: 17 })],
  [/sum_rows: "parts".* 0$/, () => sumRows({ parts: 0, rows: 1, dim: 4 })],
  [/embed: "labels".* 0$/, () => embed({ ...tables, labels: 0 })],
  [/embed: "capacity".* 0$/, () => embed({ ...tables, capacity: 0 })],
  [
    /guidance: "clsTokenNum".* 0$/,
    () => guidance({ sequences: 2, rows: 4, vocabSize: 9, clsTokenNum: 0 }),
  ],
  [/filter_logits: "vocabSize".* 0$/, () => filterLogits({ sequences: 1, vocabSize: 0 })],
  [
    /filter_logits: vocabSize 16777217/,
    () => filterLogits({ sequences: 1, vocabSize: 2 ** 24 + 1 }),
  ],
  [/draw_token: "sequences".* 0$/, () => drawToken({ ...grid, sequences: 0 })],
  [/advance: "gridSize".* 0$/, () => advance({ ...windows, gridSize: 0 })],
  [/advance: "capacity".* 0$/, () => advance({ ...windows, capacity: 0 })],
  [/embed: "held" expected \{ first, count \}, got 3$/, () => embed(given(tables, { held: 3 }))],
  [
    /embed: "held" expected \{ first, count \}, got .*"step"/,
    () => embed(given(tables, { held: { first: 0, count: 4, step: 2 } })),
  ],
  [
    /linear: "columns" .* got \{"count":4\}$/,
    () => linear(given(product, { columns: { count: 4 } })),
  ],
  [
    /linear: unknown parameter "dType", did you mean "dtype"\? linear takes rows, inDim, outDim, dtype, /,
    () => linear(given(product, { dType: 'fp16' })),
  ],
  [
    /matmul: unknown parameter "normEps": matmul takes rows,/,
    () => matmul(given(product, { normEps: 1, variant: serial })),
  ],
  [
    /linear: unknown parameter "outdim", did you mean "outDim"\?/,
    () => linear(given(product, { outdim: 4 })),
  ],
  [
    /linear: "dtype" expected one of f32, f16, bf16, int8, int4, got "fp16"$/,
    () => linear(given(product, { dtype: 'fp16' })),
  ],
  [/linear: "dtype" expected .* got null$/, () => linear(given(product, { dtype: null }))],
  [
    /embed: "dtype" expected one of f32, f16, bf16, got "int8"$/,
    () => embed(given(tables, { dtype: 'int8' })),
  ],
  [
    /linear: "rows" expected a positive integer, got "2"$/,
    () => linear(given(product, { rows: '2' })),
  ],
  [
    /linear: "residual" expected true or false, got "yes"$/,
    () => linear(given(product, { residual: 'yes' })),
  ],
  [
    /rms_norm: "variant" expected \{ reduce, f16, .* got "subgroups"$/,
    () => rmsNorm(given({ rows: 1, dim: 4 }, { variant: 'subgroups' })),
  ],
  [
    /rms_norm: "variant" expected its "reduce" to be one of serial, workgroup, subgroup, got \{"reduce":"subgroups"/,
    () => rmsNorm(given({ rows: 1, dim: 4 }, { variant: { reduce: 'subgroups', f16: false } })),
  ],
  [
    /rms_norm: "variant" expected its "f16" to be true or false/,
    () => rmsNorm(given({ rows: 1, dim: 4 }, { variant: { reduce: 'serial' } })),
  ],
  [
    /rms_norm: "variant" expected \{ reduce/,
    () => rmsNorm(given({ rows: 1, dim: 4 }, { variant: { ...serial, lane: 4 } })),
  ],
  [
    /rms_norm: "variant" expected its "lanes" to be one of 4, 8, .*, 128, got \{.*"lanes":12\}$/,
    () => rmsNorm({ rows: 1, dim: 4, variant: { ...serial, lanes: 12 } }),
  ],
  [
    /filter_logits: "variant" expected its "invocations" to be an integer from 64 up, got .*16\}$/,
    () => filterLogits({ sequences: 1, vocabSize: 1024, variant: { ...serial, invocations: 16 } }),
  ],
  [
    /conv2d: "kernelSize" expected one of 1, 3, got 5$/,
    () => conv2d(given(map, { kernelSize: 5 })),
  ],
  [
    /conv2d: "tile" expected some of tileM, .*, math, got \{"method":"gemm"\}/,
    () => conv2d({ ...map, tile: given({}, { method: 'gemm' }) }),
  ],
  [
    /conv2d_parts: "tile" expected some of tileM, .*, math, got \{"split":2\}/,
    () => conv2dParts({ ...map, split: 2, tile: given({}, { split: 2 }) }),
  ],
  [
    /conv2d_parts: unknown parameter "residual": conv2d_parts takes/,
    () => conv2dParts({ ...given(map, { residual: true }), split: 2 }),
  ],
  [/conv2d_parts: "split" .* 2\.5$/, () => conv2dParts({ ...map, split: 2.5 })],
  [/conv2d_parts: "split" .* -1$/, () => conv2dParts({ ...map, split: -1 })],
  [
    /conv2d: tile \{.*"tileM":-64,"tileN":-64.*\} has /,
    () => conv2d({ ...map, tile: { tileM: -64, tileN: -64 } }),
  ],
  [
    /conv_direct: unknown parameter "variant": conv_direct takes/,
    () => convDirect(given(map, { variant: serial })),
  ],
  [
    /conv_few: expected at most 4 output channels of a 3x3 filter with stride 1 and no upsample, got 5 of 3x3 with stride 1$/,
    () => convFew({ ...map, outChannels: 5 }),
  ],
  [/conv_few: .* got 4 of 1x1 with stride 1$/, () => convFew({ ...map, kernelSize: 1 })],
  [/conv_few: .* got 4 of 3x3 with stride 2$/, () => convFew({ ...map, stride: 2 })],
  [
    /conv_few: .* got 4 of 3x3 with stride 1 and upsample$/,
    () => convFew({ ...map, upsample: true }),
  ],
  [
    /to_rgba: expected an object, got undefined: to_rgba takes images, height, width$/,
    () => toRgba(given(undefined as never)),
  ],
  // What no shape bounds: texts hold integers of 32 bits and floats.
  [
    /advance: "gridSize" .* from 1 to 2147483647, got 10000000000$/,
    () => advance({ ...windows, gridSize: 1e10 }),
  ],
  [
    /draw_token: "clsTokenNum" .* got 2147483648$/,
    () => drawToken({ ...grid, clsTokenNum: 2 ** 31 }),
  ],
  [/rms_norm: "eps" .* got 100000000000000000000$/, () => rmsNorm({ rows: 1, dim: 4, eps: 1e20 })],
  [/sum_rows: "parts" .* to 256, got 513$/, () => sumRows({ parts: 513, rows: 1, dim: 4 })],
  [
    /sum_parts: "parts" .* to 256, got 513$/,
    () => sumParts({ parts: 513, images: 1, channels: 1, height: 1, width: 1 }),
  ],
  // Grids that are sizes, each with as many workgroups as none may have in a dimension.
  [/embed: .* 70000 x 1 .*65535/, () => embed({ ...tables, rows: 70000 })],
  [/guidance: .* 70000 x 1 .*65535/, () => guidance({ ...grid, sequences: 70000 })],
  [/advance: .*\b70000 x 1 .*65535/, () => advance({ ...windows, rows: 70000 })],
  [/draw_token: .*\b70000 x 1 .*65535/, () => drawToken({ ...grid, sequences: 70000 })],
  [/sample_token: .*\b70000 x 1 .*65535/, () => sampleToken({ ...grid, sequences: 70000 })],
  [/filter_logits: .*\b70000 x 1 .*65535/, () => filterLogits({ sequences: 70000, vocabSize: 9 })],
  [/conv2d: .* 1 x 70000 .*65535/, () => conv2d({ ...map, images: 70000 })],
  [/conv_few: .* 1 x 70000 .*65535/, () => convFew({ ...map, images: 70000 })],
  [/seed .* -1$/, () => packed([sampling({ seed: -1 })])],
  [/seed .* 0\.5$/, () => packed([sampling({ seed: 0.5 })])],
  [/seed .* 9007199254740992$/, () => packed([sampling({ seed: 2 ** 53 })])],
];

describe('bad parameters', () => {
  test.each(refused.map(([message, make]) => ({ message, make })))(
    '$message',
    ({ message, make }) => {
      expect(make).toThrow(RangeError);
      expect(make).toThrow(message);
    },
  );
});

test.each([
  [{ parts: 3 }, /linear: parts expected a power of two, got 3$/],
  [{ span: 8 }, /linear: span 8, parts 64 and columns 4 expected a span of at most 4\b/],
  [{ parts: 512 }, /linear: span 1, parts 512 .* at most 256 invocations$/],
  [{ columns: 8 }, /linear: .* columns 8 expected .* 2 or 4 columns/],
  [{ split: 2 }, /linear: "tile" expected some of math, span, parts, columns, got \{"split":2\}/],
])('a product refuses the tile %o', (tile, message) => {
  expect(() => linear(given(product, { tile }))).toThrow(message);
});

test.each([
  [{ span: -4 }, /linear: span expected a power of two, got -4$/],
  [{ span: 0 }, /linear: span expected a power of two, got 0$/],
  [{ span: '4' as unknown as number }, /linear: span expected a power of two, got 4$/],
  [{ parts: -1 }, /linear: parts expected a power of two, got -1$/],
  [{ columns: 0.5 }, /linear: columns expected a power of two, got 0.5$/],
  [{ columns: 5 }, /linear: columns expected a power of two, got 5$/],
])('a product by subgroups refuses the tile %o', (tile, message) => {
  const variant = { reduce: 'subgroup', f16: false, lanes: 32 } as const;
  expect(() => linear({ ...product, tile, variant })).toThrow(message);
});

test.each([
  [{ parts: 2 }, /linear: .* parts 2 and columns 8 expected .* 1 part, 4 or 8 columns/],
  [{ columns: 2 }, /linear: .* parts 1 and columns 2 expected .* 1 part, 4 or 8 columns/],
])('a product without barriers refuses the tile %o', (tile, message) => {
  expect(() => linear(given(product, { tile, variant: serial }))).toThrow(message);
});

test.each([
  [
    'workgroup',
    { split: 2 },
    /attention: "tile" expected some of size, span, keys, ahead, got \{"split":2\}/,
  ],
  ['workgroup', { size: 48 }, /attention: size 48 and span 2 expected powers of two/],
  ['workgroup', { size: 512 }, /attention: size 512 .* at most 256/],
  ['workgroup', { span: 3 }, /attention: size 32 and span 3 expected powers of two/],
  [
    'workgroup',
    { size: 64, span: 128 },
    /attention: size 64 and span 128 .* the span within the size/,
  ],
  ['workgroup', { keys: 3 }, /attention: keys expected 1, 2 or 4, got 3/],
  ['subgroup', { span: 8 }, /attention: subgroup shares a key among 4 at most, got span 8/],
  ['serial', { ahead: 1 }, /attention: serial: ahead expected 0 to 0, got 1/],
  ['serial', { span: 4 }, /attention: serial shares a key among 1 at most, got span 4/],
] as const)('attention under %s refuses the tile %o', (reduce, tile, message) => {
  const variant = { reduce, f16: false, ...(reduce === 'subgroup' && { lanes: 4 }) };
  const params = { ...KV, rows: 1, nHead: 2, variant };
  expect(() => attention(given(params, { tile }))).toThrow(message);
});

test('attention refuses a tile that needs more workgroup memory than there is', () => {
  const tile = { size: 256, span: 1, keys: 1 };
  expect(() => attention({ ...KV, headDim: 64, rows: 1, nHead: 2, tile })).toThrow(
    /size 256, span 1 and keys 1 need 68608 bytes of workgroup memory for heads of 64, at most 16384/,
  );
});
