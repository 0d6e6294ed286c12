/** Oracles and work of the tokenizer's kernels. */
import { elementCount } from '../../kernels/cost.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { VQ_GROUPS } from '../../src/models/vq-config.ts';
import { codebookLookup } from '../../test/oracle/codebook-lookup.ts';
import { conv2d } from '../../test/oracle/conv2d.ts';
import { groupNorm } from '../../test/oracle/group-norm.ts';
import { softmaxRows, spatialMix, spatialScores } from '../../test/oracle/spatial-attention.ts';
import { toRgba } from '../../test/oracle/to-rgba.ts';
import type { Family } from './families.ts';
import { type KernelRun, samples } from './run.ts';

/** Side of the corners of a feature map that are compared, in pixels of the output. */
const CORNER = 8;
/** Output channels that are compared. */
const CHANNELS = 8;

const shapeOf = ({ bindings }: Kernel, name: string): readonly number[] =>
  bindings[name]?.shape ?? [];

interface Map4 {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

interface Window {
  readonly top: number;
  readonly left: number;
  readonly rows: number;
  readonly columns: number;
}

/** A window of some channels of a feature map [1, channels, height, width]. */
function cut(
  x: ArrayLike<number>,
  map: Map4,
  channels: readonly number[],
  w: Window,
): Float32Array {
  const out = new Float32Array(channels.length * w.rows * w.columns);
  let i = 0;
  for (const c of channels) {
    for (let y = w.top; y < w.top + w.rows; y++) {
      const row = (c * map.height + y) * map.width + w.left;
      for (let column = 0; column < w.columns; column++) out[i++] = x[row + column] ?? Number.NaN;
    }
  }
  return out;
}

/**
 * Two opposite corners of some channels. A corner is computed from a cut of the input that is larger
 * on its inner sides, where the oracle would pad with zeros.
 */
async function checkConv(run: KernelRun): Promise<void> {
  const [images, inChannels, height, width] = run.shape('x');
  const [, outChannels, outHeight, outWidth] = run.shape('out');
  const [, , kernelSize] = run.shape('weight');
  const upsample = outHeight === 2 * height && outWidth === 2 * width;
  const stride: 1 | 2 = !upsample && outHeight < height ? 2 : 1;
  if (images !== 1) throw new RangeError(`${run.kernel.label}: expected one image`);
  const channels = samples(outChannels, CHANNELS);
  const weight = await run.rows('weight', channels);
  const allBias = await run.values('bias');
  const bias = channels.map((c) => allBias[c] ?? Number.NaN);
  const [x, out] = [await run.values('x'), await run.values('out')];
  const residual = run.has('residual') ? await run.values('residual') : undefined;
  const scale = upsample ? 2 : 1 / stride;
  const every = Array.from({ length: inChannels }, (_, c) => c);
  const inMap = { channels: inChannels, height, width };
  const outMap = { channels: outChannels, height: outHeight, width: outWidth };
  const [rows, columns] = [Math.min(CORNER, outHeight), Math.min(CORNER, outWidth)];
  for (const last of [false, true]) {
    // The corner of the output, and the input below it with two pixels more on the inner sides.
    const target: Window = {
      top: last ? outHeight - rows : 0,
      left: last ? outWidth - columns : 0,
      rows,
      columns,
    };
    const source = grown(target, scale, inMap, last);
    const cutOut = { rows: source.rows * scale, columns: source.columns * scale };
    const params = {
      ...{ images: 1, inChannels, outChannels: channels.length },
      ...{ height: source.rows, width: source.columns, upsample, stride },
      kernelSize: kernelSize as 1 | 3,
    } as const;
    const made = conv2d(params, { x: cut(x, inMap, every, source), weight, bias });
    const small = { channels: channels.length, height: cutOut.rows, width: cutOut.columns };
    const inner: Window = {
      top: target.top - source.top * scale,
      left: target.left - source.left * scale,
      rows,
      columns,
    };
    const own = channels.map((_, i) => i);
    const expected = cut(made, small, own, inner);
    if (residual) {
      const add = cut(residual, outMap, channels, target);
      for (let i = 0; i < expected.length; i++) expected[i] = (expected[i] ?? 0) + (add[i] ?? 0);
    }
    run.close(`${last ? 'last' : 'first'} corner`, cut(out, outMap, channels, target), expected);
  }
}

/** The part of the input under a corner of the output, a little larger towards the middle. */
function grown(target: Window, scale: number, map: Map4, last: boolean): Window {
  const more = 2;
  const rows = Math.min(map.height, Math.ceil(target.rows / scale) + more);
  const columns = Math.min(map.width, Math.ceil(target.columns / scale) + more);
  return {
    top: last ? map.height - rows : 0,
    left: last ? map.width - columns : 0,
    rows,
    columns,
  };
}

/** The first and the last group. */
async function checkGroupNorm(run: KernelRun): Promise<void> {
  const [, channels, height, width] = run.shape('x');
  const swish = run.kernel.label.includes(' swish');
  const each = channels / VQ_GROUPS;
  const count = each * height * width;
  const [weight, bias] = [await run.values('weight'), await run.values('bias')];
  for (const group of [0, VQ_GROUPS - 1]) {
    const own = (v: typeof weight) => v.subarray(group * each, (group + 1) * each);
    const params = { images: 1, channels: each, height, width, groups: 1, swish };
    const x = await run.values('x', group * count, count);
    const expected = groupNorm(params, { x, weight: own(weight), bias: own(bias) });
    run.close(`group ${group}`, await run.values('out', group * count, count), expected);
  }
}

const mapOf = (run: KernelRun, name: string) => {
  const [images, channels, height, width] = run.shape(name);
  return { images, channels, height, width };
};

export const tokenizerFamilies: readonly Family[] = [
  {
    name: 'conv2d and group_norm',
    bindings: 'x weight bias residual? out',
    work(kernel) {
      const [, inChannels, k = 1] = shapeOf(kernel, 'weight');
      if (inChannels === undefined) return {};
      return { operations: 2 * elementCount(shapeOf(kernel, 'out')) * inChannels * k * k };
    },
    check: (run) =>
      run.binding('weight').shape.length === 4 ? checkConv(run) : checkGroupNorm(run),
  },
  {
    name: 'spatial_scores',
    bindings: 'q k out',
    work(kernel) {
      const [, channels = 1] = shapeOf(kernel, 'q');
      return { operations: 2 * channels * elementCount(shapeOf(kernel, 'out')) };
    },
    async check(run) {
      const [q, k] = [await run.values('q'), await run.values('k')];
      run.close('output', await run.values('out'), spatialScores(mapOf(run, 'q'), { q, k }));
    },
  },
  {
    name: 'softmax_rows',
    bindings: 'x out',
    async check(run) {
      const [rows, length] = run.shape('x');
      const x = await run.values('x');
      run.close('output', await run.values('out'), softmaxRows({ rows, length }, { x }));
    },
  },
  {
    name: 'spatial_mix',
    bindings: 'v probs out',
    work(kernel) {
      const [, pixels = 1] = shapeOf(kernel, 'probs');
      return { operations: 2 * pixels * elementCount(shapeOf(kernel, 'out')) };
    },
    async check(run) {
      const [v, probs] = [await run.values('v'), await run.values('probs')];
      run.close('output', await run.values('out'), spatialMix(mapOf(run, 'v'), { v, probs }));
    },
  },
  {
    name: 'codebook_lookup',
    bindings: 'codes codebook zq',
    work: (kernel) => ({ bytes: 2 * 4 * elementCount(shapeOf(kernel, 'zq')) }),
    async check(run) {
      const [images, codebookEmbedDim, height, width] = run.shape('zq');
      const [codebookSize] = run.shape('codebook');
      const sizes = { images, height, width, codebookSize, codebookEmbedDim, l2Norm: true };
      const [codes, codebook] = [await run.values('codes'), await run.values('codebook')];
      run.close('output', await run.values('zq'), codebookLookup(sizes, { codes, codebook }));
    },
  },
  {
    name: 'to_rgba',
    bindings: 'image rgba',
    async check(run) {
      const [images, , height, width] = run.shape('image');
      const image = await run.values('image');
      // Values that lie on a step in f32 may round to either side: the few there are are left out.
      const expected = toRgba({ images, height, width }, { image });
      const got = await run.values('rgba');
      const pixels = height * width;
      const edge = (i: number): boolean =>
        [0, 1, 2].some((c) => {
          const v = 127.5 * (image[c * pixels + (i % pixels)] ?? 0) + 128;
          return Math.abs(v - Math.round(v)) < 1e-4;
        });
      run.same(
        'pixel',
        got,
        expected.map((v, i) => (edge(i) ? (got[i] ?? 0) : v)),
      );
    },
  },
];
