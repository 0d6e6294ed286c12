/** Finds out which matrices of subgroups a device has: a small product is made with them. */
import { type SpatialScoresBindings, spatialScores } from '../../kernels/conv/spatial-scores.ts';
import { type Kernel, MATRIX_FEATURE, type MatrixConfig, range } from '../../kernels/kernel.ts';
import { Graph } from '../graph/graph.ts';
import { knowMatrices, knownMatrices, type Matrices, matrixConfigs } from './matrices.ts';
import { Memory } from './memory.ts';
import { pipelineFor } from './pipelines.ts';
import { build } from './program.ts';
import { readBuffer } from './readback.ts';
import { adapterFacts } from './variants.ts';

const finding = new WeakMap<GPUDevice, Promise<Matrices>>();

/**
 * Tries the matrices of a device, once: the first that build are used if a product of theirs is right,
 * and none if it is wrong. `variantOf` and `adapterFacts` then know them. Takes one small pipeline and
 * a readback where the device has the feature, and nothing elsewhere.
 */
export function findMatrices(device: GPUDevice): Promise<Matrices> {
  const known = knownMatrices(device);
  const begun = known ? Promise.resolve(known) : (finding.get(device) ?? find(device));
  finding.set(device, begun);
  return begun;
}

async function find(device: GPUDevice): Promise<Matrices> {
  const mayHave = device.features.has(MATRIX_FEATURE) && device.features.has('subgroups');
  if (!mayHave || adapterFacts(device).software) return {};
  const matrices = await firstThatBuilds(device);
  knowMatrices(device, matrices);
  return matrices;
}

async function firstThatBuilds(device: GPUDevice): Promise<Matrices> {
  const halves = device.features.has('shader-f16');
  for (const config of matrixConfigs(device.adapterInfo)) {
    if (config.operand === 'f16' && !halves) continue;
    const kernel = trial(config);
    // The pipeline alone first: a size that the device lacks is refused there.
    const isRefused = await pipelineFor(device, kernel).then(
      () => false,
      () => true,
    );
    if (isRefused) continue;
    // A device that was lost meanwhile says so to whatever comes next.
    if (await isRight(device, kernel).catch(() => false)) return { config };
    const { m, n, k, operand } = config;
    const note = `this adapter's products of ${m}x${n}x${k} matrices (${operand}) are wrong: its matrix units are left alone`;
    return { note };
  }
  return {};
}

const SHAPE = { images: 1, channels: 64, height: 4, width: 4 } as const;
const PIXELS = SHAPE.height * SHAPE.width;
const COUNT = SHAPE.channels * PIXELS;

/** The scores of 16 pixels over 64 channels, by one subgroup. */
function trial(matrix: MatrixConfig): Kernel<SpatialScoresBindings> {
  const { lanes } = matrix;
  const tile = { tileM: 16, tileN: 16, eachM: 16, eachN: 16, slice: Math.max(16, matrix.k) };
  return spatialScores({
    ...SHAPE,
    variant: { reduce: 'subgroup', f16: true, lanes, matrix },
    tile: { math: 'matrix', ...tile },
  });
}

/** Odd 64ths below 1: exact as halves, their sums exact in f32 and not in halves. */
const operand = (seed: number): Float32Array<ArrayBuffer> =>
  Float32Array.from(range(COUNT), (i) => {
    const sixBits = Math.imul(i + seed, 0x9e3779b1) >>> 26;
    return (2 * sixBits - 63) / 64;
  });

async function isRight(device: GPUDevice, kernel: Kernel<SpatialScoresBindings>): Promise<boolean> {
  const memory = new Memory(device);
  try {
    const g = new Graph();
    const shape = [1, SHAPE.channels, SHAPE.height, SHAPE.width];
    const q = g.state('q', 'f32', shape);
    const k = g.state('k', 'f32', shape);
    const { out } = g.call(kernel, { q, k });
    const program = await build(memory, g, { weights: new Map(), keep: [out] });
    const [left, right] = [operand(0), operand(5)];
    await memory.checked('trying matrices', () => {
      device.queue.writeBuffer(program.bufferOf(q), 0, left);
      device.queue.writeBuffer(program.bufferOf(k), 0, right);
    });
    await program.run();
    const made = new Float32Array(await readBuffer(memory, program.bufferOf(out)));
    return range(PIXELS * PIXELS).every((at) => {
      const expected = score(left, right, Math.floor(at / PIXELS), at % PIXELS);
      return Math.abs((made[at] ?? Number.NaN) - expected) < MOST_ERROR;
    });
  } finally {
    memory.freeAll();
  }
}

/** Scores are up to 8; sums in halves would be off by 1e-3. */
const MOST_ERROR = 1e-5;

function score(q: Float32Array, k: Float32Array, i: number, j: number): number {
  let sum = 0;
  for (let c = 0; c < SHAPE.channels; c++) {
    sum += (q[c * PIXELS + i] ?? 0) * (k[c * PIXELS + j] ?? 0);
  }
  return sum / Math.sqrt(SHAPE.channels);
}
