/** Oracles and work of the tokenizer's kernels. */
import { elementCount } from '../../kernels/cost.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { VQ_GROUPS } from '../../src/models/vq-config.ts';
import { codebookLookup } from '../../test/oracle/codebook-lookup.ts';
import { groupNorm } from '../../test/oracle/group-norm.ts';
import { softmaxRows, spatialMix, spatialScores } from '../../test/oracle/spatial-attention.ts';
import { toRgba } from '../../test/oracle/to-rgba.ts';
import { checkConv } from './check-conv.ts';
import type { Family } from './families.ts';
import type { KernelRun } from './run.ts';

const shapeOf = ({ bindings }: Kernel, name: string): readonly number[] =>
  bindings[name]?.shape ?? [];

/** All parts of a sum over channels and taps, and what is added to them. */
async function checkSumParts(run: KernelRun): Promise<void> {
  const [, channels] = run.shape('out');
  const out = await run.values('out');
  const [x, bias] = [await run.values('x'), await run.values('bias')];
  const residual = run.has('residual') ? await run.values('residual') : undefined;
  const expected = Float64Array.from(out, (_, i) => {
    let sum = (bias[Math.floor(i / (out.length / channels))] ?? 0) + (residual?.[i] ?? 0);
    for (let at = i; at < x.length; at += out.length) sum += x[at] ?? 0;
    return sum;
  });
  run.close('output', out, expected);
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

/** Means and sums of squared differences of the chunks of the first and the last group. */
async function checkMoments(run: KernelRun): Promise<void> {
  const [, groups, chunks] = run.shape('out');
  const x = await run.values('x');
  const out = await run.values('out');
  const count = x.length / groups;
  const chunk = chunkOf(count);
  const [got, expected]: [number[], number[]] = [[], []];
  for (const group of [0, groups - 1]) {
    for (let n = 0; n < chunks; n++) {
      const first = group * count + n * chunk;
      const own = Array.from(x.subarray(first, Math.min(first + chunk, (group + 1) * count)));
      const sum = own.reduce((a, v) => a + v, 0);
      const squares = own.reduce((a, v) => a + (v - sum / own.length) ** 2, 0);
      const at = 2 * (group * chunks + n);
      // Means are near 0 and sums of squares are not: sums of values are nearer to those.
      got.push((out[at] ?? Number.NaN) * own.length, out[at + 1] ?? Number.NaN);
      expected.push(sum, squares);
    }
  }
  run.close('moments', got, expected);
}

/** Scale and shift of every channel. How many values a group has stands in the kernel's text alone. */
async function checkAffine(run: KernelRun): Promise<void> {
  const [, groups, chunks] = run.shape('moments');
  const [, channels] = run.shape('out');
  const count = Number(/const COUNT = (\d+)u/.exec(run.kernel.code)?.[1]);
  const chunk = chunkOf(count);
  const names = ['moments', 'weight', 'bias'];
  const [moments, weight, bias] = await Promise.all(names.map((name) => run.values(name)));
  if (!moments || !weight || !bias) throw new RangeError('no inputs');
  const expected = new Float64Array(4 * channels);
  for (let c = 0; c < channels; c++) {
    const first = Math.floor(c / (channels / groups)) * chunks;
    const parts = Array.from({ length: chunks }, (_, i) => ({
      size: Math.min(chunk, count - i * chunk),
      mean: moments[2 * (first + i)] ?? Number.NaN,
      squares: moments[2 * (first + i) + 1] ?? Number.NaN,
    }));
    const mean = parts.reduce((sum, p) => sum + (p.mean * p.size) / count, 0);
    const squares = parts.reduce((n, p) => n + p.squares + p.size * (p.mean - mean) ** 2, 0);
    const scale = (weight[c] ?? Number.NaN) / Math.sqrt(squares / count + 1e-6);
    expected.set([mean, scale, bias[c] ?? Number.NaN, 0], 4 * c);
  }
  run.close('output', await run.values('out'), expected);
}

/** Values of a chunk of a group of `count`. */
const chunkOf = (count: number): number => Math.max(2048, Math.ceil(count / 64));

const mapOf = (run: KernelRun, name: string) => {
  const [images, channels, height, width] = run.shape(name);
  return { images, channels, height, width };
};

export const tokenizerFamilies: readonly Family[] = [
  {
    words: ['conv2d', 'conv2d_parts', 'group_norm'],
    bindings: 'x affine? weight bias? residual? out',
    work(kernel) {
      const [, inChannels, k = 1] = shapeOf(kernel, 'weight');
      if (inChannels === undefined) return {};
      // The last four sizes: those of a convolution in parts have their number before them.
      const made = elementCount(shapeOf(kernel, 'out').slice(-4));
      return { operations: 2 * made * inChannels * k * k };
    },
    check: (run) =>
      run.binding('weight').shape.length === 4 ? checkConv(run) : checkGroupNorm(run),
  },
  { words: ['sum_parts'], bindings: 'x bias residual? out', check: checkSumParts },
  { words: ['group_moments'], bindings: 'x out', check: checkMoments },
  { words: ['group_affine'], bindings: 'moments weight bias out', check: checkAffine },
  {
    words: ['spatial_scores'],
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
    words: ['softmax_rows'],
    bindings: 'x out',
    async check(run) {
      const [rows, length] = run.shape('x');
      const x = await run.values('x');
      run.close('output', await run.values('out'), softmaxRows({ rows, length }, { x }));
    },
  },
  {
    words: ['spatial_mix'],
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
    words: ['codebook_lookup'],
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
    words: ['to_rgba'],
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
