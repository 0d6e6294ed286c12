/** Tries matrices of subgroups: whether they build, and whether small products of theirs are right. */
import { convHalves } from '../../kernels/conv/conv-halves.ts';
import { halvesOfFilter } from '../../kernels/conv/halves-of-filter.ts';
import { halvesOfMap } from '../../kernels/conv/halves-of-map.ts';
import { halvesProblem } from '../../kernels/conv/halves-tile.ts';
import { spatialScores } from '../../kernels/conv/spatial-scores.ts';
import { type Kernel, type MatrixConfig, range, type Variant } from '../../kernels/kernel.ts';
import { linear } from '../../kernels/product/linear.ts';
import type { MapTile } from '../../kernels/product/map-tile.ts';
import { matrixConfig } from '../../kernels/product/matrix-texts.ts';
import { productProblem } from '../../kernels/product/product-tile.ts';
import { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type Matrices, matrixSizes } from './matrices.ts';
import { Memory } from './memory.ts';
import { pipelineFor } from './pipelines.ts';
import { build } from './program.ts';
import { readBuffer } from './readback.ts';

/** The first of a device's matrices that build, if their products are right. */
export async function firstThatBuilds(device: GPUDevice): Promise<Matrices> {
  const halves = device.features.has('shader-f16');
  for (const sizes of matrixSizes(device.adapterInfo)) {
    const config = matrixConfig(sizes);
    if (config.operand === 'f16' && !halves) continue;
    const trial = scores(config);
    // The pipeline alone first: a size that the device lacks is refused there.
    const isRefused = await pipelineFor(device, trial.kernel).then(
      () => false,
      () => true,
    );
    if (isRefused) continue;
    let isRight = true;
    // A device that was lost meanwhile says so to whatever comes next.
    for (const each of [trial, ...ofHalves(config), ...ofRows(config)]) {
      isRight &&= await isTrialRight(device, each).catch(() => false);
    }
    if (isRight) return { config };
    const { m, n, k, operand } = config;
    const note = `this adapter's products of ${m}x${n}x${k} matrices (${operand}) are wrong: its matrix units are left alone`;
    return { note };
  }
  return {};
}

const SHAPE = { images: 1, channels: 64, height: 4, width: 4 } as const;
const PIXELS = SHAPE.height * SHAPE.width;
const COUNT = SHAPE.channels * PIXELS;

/** 16 lines of 64 values with 16 others, in a graph of two states. */
interface Trial {
  readonly kernel: Kernel;
  readonly graph: Graph;
  readonly states: readonly [left: Tensor, right: Tensor];
  /** What the values of the left are multiplied with first. Default 1. */
  readonly uneven?: number;
  readonly out: Tensor;
  /** What `out` has at a line of the left and one of the right. */
  expected(left: Float32Array, right: Float32Array, i: number, j: number): number;
}

const ONE_SUBGROUP = { tileM: 16, tileN: 16, eachM: 16, eachN: 16 } as const;

/** Kernels of a trial have the matrices that are tried, whatever the device is known for. */
const trialVariant = (matrix: MatrixConfig): Variant => {
  return { reduce: 'subgroup', f16: true, lanes: matrix.lanes, matrix };
};

/** The scores of 16 pixels over 64 channels, by one subgroup: operands with their lines across k. */
function scores(matrix: MatrixConfig): Trial {
  const kernel = spatialScores({
    ...{ ...SHAPE, variant: trialVariant(matrix) },
    tile: { math: 'matrix', ...ONE_SUBGROUP, slice: Math.max(16, matrix.k) },
  });
  const graph = new Graph();
  const shape = [1, SHAPE.channels, SHAPE.height, SHAPE.width];
  const [q, k] = [graph.state('q', 'f32', shape), graph.state('k', 'f32', shape)];
  const { out } = graph.call(kernel, { q, k });
  const sum = sumOver((i, c) => c * PIXELS + i);
  const expected: Trial['expected'] = (...all) => sum(...all) / Math.sqrt(SHAPE.channels);
  return { kernel, graph, states: [q, k], out, expected };
}

/** A 1x1 convolution of halves, where matrices of this size can make one: operands with their lines along k. */
function ofHalves(matrix: MatrixConfig): readonly Trial[] {
  const { channels: inChannels, ...sizes } = SHAPE;
  const variant = trialVariant(matrix);
  const tile = [16, 32]
    .map((slice): MapTile => ({ ...ONE_SUBGROUP, slice, math: 'matrix' }))
    .find((sized) => !halvesProblem(sized, variant));
  if (!tile) return [];
  const graph = new Graph();
  const filters = { inChannels, outChannels: PIXELS, kernelSize: 1 } as const;
  const weight = graph.state('weight', 'f32', [PIXELS, inChannels, 1, 1]);
  const map = graph.state('x', 'f32', [1, inChannels, SHAPE.height, SHAPE.width]);
  const bias = graph.state('bias', 'f32', [PIXELS]);
  const x = graph.call(halvesOfMap({ ...sizes, channels: inChannels }), { x: map }).out;
  const halves = graph.call(halvesOfFilter(filters), { weight }).out;
  const kernel = convHalves({ ...sizes, ...filters, variant, tile });
  const { out }: Readonly<Record<string, Tensor>> = graph.call(kernel, { x, weight: halves, bias });
  if (!out) throw new RangeError(`${kernel.label}: makes no "out"`);
  const expected = sumOver(
    (i, c) => i * inChannels + c,
    (j, c) => c * PIXELS + j,
  );
  return [{ kernel, graph, states: [weight, map], out, expected }];
}

/** More bits than a half has, and fewer than two. */
const UNEVEN = 1 + 2 ** -14;

/** A product of few rows of f32, which become two halves each, where matrices of this size can make one. */
function ofRows(matrix: MatrixConfig): readonly Trial[] {
  const variant = trialVariant(matrix);
  const sizes = { rows: PIXELS, inDim: SHAPE.channels, outDim: PIXELS, dtype: 'f16' } as const;
  const tile = { math: 'matrix' } as const;
  if (productProblem(sizes, variant, tile)) return [];
  const graph = new Graph();
  const x = graph.state('x', 'f32', [PIXELS, SHAPE.channels]);
  const weight = graph.state('weight', 'f16', [PIXELS, SHAPE.channels]);
  const kernel = linear({ ...sizes, variant, tile });
  const { out } = graph.call(kernel, { x, weight });
  const expected = sumOver((i, c) => i * SHAPE.channels + c);
  return [{ kernel, graph, states: [x, weight], uneven: UNEVEN, out, expected }];
}

/** The sum over channels of the products of what lies at a line and a channel. */
const sumOver =
  (
    leftAt: (line: number, c: number) => number,
    rightAt: (line: number, c: number) => number = leftAt,
  ): Trial['expected'] =>
  (left, right, i, j) =>
    range(SHAPE.channels).reduce(
      (sum, c) => sum + (left[leftAt(i, c)] ?? 0) * (right[rightAt(j, c)] ?? 0),
      0,
    );

/** Odd 64ths below 1: exact as halves, their sums exact in f32 and not in halves. */
const operand = (seed: number): Float32Array<ArrayBuffer> =>
  Float32Array.from(range(COUNT), (i) => {
    const sixBits = Math.imul(i + seed, 0x9e3779b1) >>> 26;
    return (2 * sixBits - 63) / 64;
  });

/** Values that halves hold, none of them 0. */
const halves = (values: Float32Array<ArrayBuffer>): Uint16Array<ArrayBuffer> =>
  Uint16Array.from(new Uint32Array(values.buffer), (bits) => {
    return ((bits >>> 16) & 0x8000) | (((bits >>> 13) - (112 << 10)) & 0x7fff);
  });

async function isTrialRight(device: GPUDevice, trial: Trial): Promise<boolean> {
  const memory = new Memory(device);
  const { graph, states, uneven = 1, out } = trial;
  try {
    const program = await build(memory, graph, { weights: new Map(), keep: [out] });
    const [left, right] = [operand(0).map((v) => v * uneven), operand(5)];
    await memory.checked('trying matrices', () => {
      for (const [i, values] of [left, right].entries()) {
        const state = states[i as 0 | 1];
        const stored = state.dtype === 'f16' ? halves(values) : values;
        device.queue.writeBuffer(program.bufferOf(state), 0, stored);
      }
    });
    await program.run();
    const made = new Float32Array(await readBuffer(memory, program.bufferOf(out)));
    return range(PIXELS * PIXELS).every((at) => {
      const expected = trial.expected(left, right, Math.floor(at / PIXELS), at % PIXELS);
      return Math.abs((made[at] ?? Number.NaN) - expected) < MOST_ERROR;
    });
  } finally {
    memory.freeAll();
  }
}

/** Results are up to 64; sums in halves would be off by 1e-3, and rows of one half each by 1e-4. */
const MOST_ERROR = 1e-5;
