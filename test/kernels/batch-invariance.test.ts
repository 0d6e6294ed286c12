/** The result of a row has the same bits whatever else is in the batch, and wherever it stands. */
import { describe, expect, test, vi } from 'vitest';
import { attention } from '../../kernels/attention/attention.ts';
import type { AttentionTile } from '../../kernels/attention/attention-tile.ts';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import { linear } from '../../kernels/product/linear.ts';
import { linearParts } from '../../kernels/product/linear-parts.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import type { ProductTile } from '../../kernels/product/product-tile.ts';
import { swiglu } from '../../kernels/product/swiglu.ts';
import { testDevice, testKernels } from '../support/device.ts';
import { few, fewAgain, fewBarriers, isLong } from '../support/few.ts';
import { anyRope, rowsAt } from '../support/places.ts';
import { normal } from '../support/random.ts';
import { runKernel } from '../support/run-kernel.ts';
import { deviceVariants, SERIAL_LANES, VARIANTS, variantName } from '../support/variants.ts';
import { storedWeight } from '../support/weights.ts';

const device = await testDevice();
const { variant: own, tiles } = await testKernels();

/** A software adapter compiles a dozen kernels for each of these tests. */
vi.setConfig({ testTimeout: 60_000 });

/** Rows to choose a batch from; as many as the largest batch. */
const POOL = 17;

/** Sizes of batch, each with the row of the pool it begins with. */
const BATCHES = [
  { rows: 1, first: 13 },
  { rows: 2, first: 16 },
  { rows: 5, first: 3 },
  { rows: 8, first: 11 },
  { rows: 16, first: 6 },
];

/** A kernel whose row r of `out` may depend on row r of `perRow` and on all of `shared`. */
/** A variant, and what is forced of the tiles. */
interface Way {
  readonly variant: Variant;
  readonly product?: Partial<ProductTile>;
  readonly attention?: Partial<AttentionTile>;
}

interface Subject {
  readonly name: string;
  readonly kernel: (rows: number, way: Way) => Kernel;
  readonly perRow: Readonly<Record<string, Float32Array | Uint32Array>>;
  readonly shared: Readonly<Record<string, ArrayLike<number>>>;
  readonly out: string;
}

const dim = 70;
const KV = { slots: POOL, nKvHead: 2, positions: 40, headDim: 12 };
const kvLength = 2 * POOL * KV.nKvHead * KV.positions * KV.headDim;
const rowTable = rowsAt(
  Array.from({ length: 2 * POOL }, (_, i) => (i % 2 === 0 ? i / 2 : (i * 7) % 40)),
);
const window = rowsAt(Array.from({ length: POOL }, (_, i) => [3, 19 + i]).flat());
const x = normal(POOL * dim, 1, 2);
const gain = normal(dim, 2, 0.5, 1);

const subjects: readonly Subject[] = [
  {
    name: 'linear',
    kernel: (rows, { variant, product: tile }) =>
      linear({ rows, inDim: dim, outDim: 22, variant, tile }),
    perRow: { x },
    shared: { weight: normal(22 * dim, 3) },
    out: 'out',
  },
  ...(['bf16', 'int8', 'int4'] as const).map((dtype) => ({
    name: `linear ${dtype}`,
    kernel: (rows: number, { variant, product: tile }: Way) =>
      linear({ rows, inDim: dim, outDim: 22, dtype, variant, tile }),
    perRow: { x },
    shared: storedWeight('weight', dtype, normal(22 * dim, 3), [22, dim]).inputs,
    out: 'out',
  })),
  {
    name: 'swiglu',
    kernel: (rows, { variant, product: tile }) =>
      swiglu({ rows, dim, hiddenDim: 13, normEps: 1e-5, variant, tile }),
    perRow: { x },
    shared: { gain, w1: normal(13 * dim, 3), w3: normal(13 * dim, 4) },
    out: 'out',
  },
  {
    name: 'qkv_rope_cache: q',
    kernel: (rows, { variant, product: tile }) =>
      qkvRopeCache({ ...KV, rows, dim, nHead: 4, normEps: 1e-5, variant, tile }),
    perRow: { x, rowTable },
    shared: {
      gain,
      weight: normal(8 * 12 * dim, 3),
      rope: anyRope(40, 12),
      kv: new Float32Array(kvLength),
    },
    out: 'q',
  },
  {
    name: 'attention',
    kernel: (rows, { variant, attention: tile }) =>
      attention({ ...KV, rows, nHead: 4, variant, tile }),
    perRow: { q: normal(POOL * 48, 6, 2), rowTable },
    shared: { kv: normal(kvLength, 7) },
    out: 'out',
  },
  {
    name: 'attention at neighbouring positions of one slot',
    kernel: (rows, { variant, attention: tile }) =>
      attention({ ...KV, rows, nHead: 4, variant, tile }),
    perRow: { q: normal(POOL * 48, 6, 2), rowTable: window },
    shared: { kv: normal(kvLength, 7) },
    out: 'out',
  },
  {
    name: 'attention behind padding of other lengths',
    kernel: (rows, { variant, attention: tile }) =>
      attention({ ...KV, rows, nHead: 4, padded: true, variant, tile }),
    perRow: { q: normal(POOL * 48, 6, 2), rowTable },
    shared: {
      kv: normal(kvLength, 7),
      firsts: Uint32Array.from({ length: POOL }, (_, slot) => (slot * 5) % 40),
    },
    out: 'out',
  },
  {
    name: 'matmul',
    kernel: (rows, { variant }) => matmul({ rows, inDim: dim, outDim: 22, variant }),
    perRow: { x },
    shared: { weight: normal(22 * dim, 3) },
    out: 'out',
  },
];

/** `rows` rows of a pool, beginning with `first` and going round. */
function choose<T extends Float32Array | Uint32Array>(
  pool: T,
  rows: number,
  first: number,
): number[] {
  const width = pool.length / POOL;
  return Array.from({ length: rows }, (_, r) => {
    const at = ((first + r) % POOL) * width;
    return [...pool.subarray(at, at + width)];
  }).flat();
}

async function run({ kernel, perRow, shared }: Subject, batch: (typeof BATCHES)[number], way: Way) {
  const own = Object.entries(perRow).map(([name, pool]) => [
    name,
    choose(pool, batch.rows, batch.first),
  ]);
  return runKernel(device, kernel(batch.rows, way), { ...shared, ...Object.fromEntries(own) });
}

const variants = deviceVariants(device, [...VARIANTS, SERIAL_LANES]).map(
  (v): { way: Way; title: string } => ({
    way: { variant: v },
    title: variantName(v),
  }),
);
/** What LLAMAGEN_VARIANT makes of the adapter's own variant; splits are tested of themselves. */
function forcedWay(): Way {
  const { split: _, ...product } = { ...tiles.product };
  return { variant: own, product, attention: { ...tiles.attention } };
}
const forced = process.env.LLAMAGEN_VARIANT ? [{ way: forcedWay(), title: 'forced' }] : [];

describe.each([...variants, ...forced])('$title', ({ way }) => {
  const { variant } = way;
  const hasBarriers = variant.reduce !== 'serial';
  const batches = hasBarriers && !isLong ? few(2, BATCHES) : BATCHES;
  const chosen = hasBarriers ? fewAgain(2, subjects) : fewBarriers(variant, 0, subjects);

  test.each(chosen)('$name', async (subject) => {
    const all = (await run(subject, { rows: POOL, first: 0 }, way))[subject.out] as Float32Array;
    for (const batch of batches) {
      const got = (await run(subject, batch, way))[subject.out]!;
      expect([...got], JSON.stringify(batch)).toEqual(choose(all, batch.rows, batch.first));
    }
  });

  test('linear_parts: each part', async () => {
    const subject: Subject = {
      name: 'linear_parts',
      kernel: (rows, { product: tile }) =>
        linearParts({ rows, inDim: dim, outDim: 22, split: 3, variant, tile }),
      perRow: { x },
      shared: { weight: normal(22 * dim, 3) },
      out: 'out',
    };
    const partsOf = async (batch: (typeof BATCHES)[number]) => {
      const { out } = await run(subject, batch, way);
      const size = 22 * batch.rows;
      return [0, 1, 2].map((p) => out!.slice(p * size, (p + 1) * size) as Float32Array);
    };
    const all = await partsOf({ rows: POOL, first: 0 });
    for (const batch of batches) {
      for (const [p, part] of (await partsOf(batch)).entries()) {
        expect([...part]).toEqual(choose(all[p]!, batch.rows, batch.first));
      }
    }
  });

  test('qkv_rope_cache: the cache', async () => {
    const subject = subjects.find(({ name }) => name.startsWith('qkv'))!;
    const { kv: together } = await run(subject, { rows: POOL, first: 0 }, way);
    // The slots of the pool are filled a few at a time, into one cache.
    let kv: ArrayLike<number> = subject.shared.kv!;
    for (const batch of [
      { rows: 8, first: 9 },
      { rows: 1, first: 0 },
      { rows: 5, first: 1 },
      { rows: 2, first: 6 },
      { rows: 1, first: 8 },
    ]) {
      const next = { ...subject, shared: { ...subject.shared, kv } };
      kv = (await run(next, batch, way)).kv!;
    }
    expect(kv).toEqual(together);
  });
});
