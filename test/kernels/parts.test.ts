/** A weight larger than one binding is read in parts: the same bits as whole. */
import { describe, expect, test } from 'vitest';
import { qkvRopeCache } from '../../kernels/attention/qkv-rope-cache.ts';
import { embed } from '../../kernels/embed/embed.ts';
import type { Kernel, MatrixDType, Variant } from '../../kernels/kernel.ts';
import type { Columns } from '../../kernels/product/columns.ts';
import { rowsProduct } from '../../kernels/product/rows-product.ts';
import { swiglu } from '../../kernels/product/swiglu.ts';
import { linear } from '../records/product/linear.ts';
import { matmul } from '../records/product/matmul.ts';
import { testDevice } from '../support/device.ts';
import { few } from '../support/few.ts';
import { anyRope, rowsAt, scatteredRows } from '../support/places.ts';
import { normal } from '../support/random.ts';
import { type Array1, runKernel } from '../support/run-kernel.ts';
import { deviceVariants, VARIANTS } from '../support/variants.ts';
import { MATRIX_DTYPES, storedWeight } from '../support/weights.ts';

const device = await testDevice();

const rows = 9;
const inDim = 70;

interface Subject {
  readonly name: string;
  readonly outDim: number;
  /** Names of the weights. */
  readonly weights: readonly string[];
  readonly kernel: (options: {
    readonly dtype: MatrixDType;
    readonly variant: Variant;
    readonly columns?: Columns;
  }) => Kernel;
  readonly others: Readonly<Record<string, ArrayLike<number>>>;
}

const KV = { slots: 3, nKvHead: 1, positions: 4, headDim: 12 };
const x = normal(rows * inDim, 1, 2);
const gain = normal(inDim, 2, 0.5, 1);

const subjects: readonly Subject[] = [
  {
    name: 'linear',
    outDim: 30,
    weights: ['weight'],
    kernel: (options) => linear.kernel({ rows, inDim, outDim: 30, residual: true, ...options }),
    others: { x, residual: normal(rows * 30, 5) },
  },
  {
    name: 'matmul',
    outDim: 90,
    weights: ['weight'],
    kernel: (options) => matmul.kernel({ rows, inDim, outDim: 90, residual: true, ...options }),
    others: { x, residual: normal(rows * 90, 5) },
  },
  {
    name: 'swiglu',
    outDim: 30,
    weights: ['w1', 'w3'],
    kernel: (options) => swiglu({ rows, dim: inDim, hiddenDim: 30, normEps: 1e-5, ...options }),
    others: { x, gain },
  },
  {
    name: 'qkv_rope_cache',
    outDim: 48,
    weights: ['weight'],
    kernel: (options) =>
      qkvRopeCache({ ...KV, rows, dim: inDim, nHead: 2, normEps: 1e-5, ...options }),
    others: {
      x,
      gain,
      rope: anyRope(KV.positions, KV.headDim),
      rowTable: scatteredRows(rows, KV.slots, KV.positions),
      kv: new Float32Array(2 * KV.slots * KV.positions * KV.headDim),
    },
  },
];

/** Runs the kernels one after another; each is given what those before it made. */
async function runParts(
  { weights, others, kernel }: Subject,
  dtype: MatrixDType,
  variant: Variant,
  parts: readonly (Columns | undefined)[],
  outDim: number,
): Promise<Record<string, Array1>> {
  let made: Record<string, Array1> = {};
  for (const columns of parts) {
    const { first, count } = columns ?? { first: 0, count: outDim };
    const stored = weights.map((name, i) => {
      const all = normal(outDim * inDim, 3 + i, 0.3);
      const values = all.slice(first * inDim, (first + count) * inDim);
      return storedWeight(name, dtype, values, [count, inDim]).inputs;
    });
    const given = { ...others, ...made, ...Object.assign({}, ...stored) };
    const part = kernel({ dtype, variant, ...(columns && { columns }) });
    made = { ...made, ...(await runKernel(device, part, given)) };
  }
  return made;
}

describe.each(subjects)('$name', (subject) => {
  const { outDim } = subject;
  const [serial, ...others] = deviceVariants(device, VARIANTS);
  for (const { reduce } of [serial!, ...few(1, others)]) {
    // The part changes where columns begin, whatever the storage: one of each kind will do.
    const dtypes: readonly MatrixDType[] = reduce === 'serial' ? few(3, MATRIX_DTYPES) : ['f32'];
    test.each(dtypes)(`${reduce} %s`, async (dtype) => {
      const variant = { reduce, f16: false };
      const cuts = [0, 8, 20, outDim];
      const parts = cuts.slice(1).map((end, i) => ({ first: cuts[i]!, count: end - cuts[i]! }));
      const whole = await runParts(subject, dtype, variant, [undefined], outDim);
      expect(await runParts(subject, dtype, variant, parts, outDim)).toEqual(whole);
    });
  }

  test.each([
    [{ first: 2, count: 4 }, /columns from 2 to 6 expected multiples of 4/],
    [{ first: 0, count: 6 }, /columns from 0 to 6 expected .* or the last of \d+/],
    [{ first: 4, count: 400 }, /columns from 4 to 404 expected/],
    [{ first: 0, count: 0 }, /columns from 0 to 0 expected/],
    [{ first: -4, count: 8 }, /columns from -4 to 4 expected/],
    [{ first: 0, count: Number.NaN }, /columns from 0 to NaN expected/],
    [{ first: 0.5, count: 3.5 }, /columns from 0\.5 to 4 expected/],
  ])('refuses %o', (columns, message) => {
    const variant = { reduce: 'workgroup', f16: false } as const;
    expect(() => subject.kernel({ dtype: 'f32', variant, columns })).toThrow(message);
  });
});

describe('embed', () => {
  const sizes = { rows: 6, capacity: 3, dim: 5, vocabSize: 11, labels: 2, blockSize: 4 };
  const tokenTable = normal(11 * 5, 2);
  const others = {
    rowTable: rowsAt([0, 0, 1, 1, 2, 2, 0, 3, 1, 4, 2, 5], 1),
    tokens: [0, 5, 3, 10, 4, 10, 3, 9, 99, 8, 0, 1],
    labelTable: normal(2 * 5, 3),
  };

  test('over a table in parts is the same, and what is in no part is NaN', async () => {
    let out: Array1 | undefined;
    for (const held of [
      { first: 0, count: 4 },
      { first: 4, count: 5 },
      { first: 9, count: 2 },
    ]) {
      const table = tokenTable.slice(held.first * 5, (held.first + held.count) * 5);
      const given = { ...others, tokenTable: table, ...(out && { out }) };
      out = (await runKernel(device, embed({ ...sizes, held }), given)).out!;
    }
    const whole = await runKernel(device, embed(sizes), { ...others, tokenTable });
    expect([...out!]).toEqual([...whole.out!]);
    expect([...out!].filter(Number.isNaN).length).toBeGreaterThan(0);
    expect([...out!].filter(Number.isFinite).length).toBeGreaterThan(15);
  });

  test('refuses tokens past the vocabulary', () => {
    expect(() => embed({ ...sizes, held: { first: 9, count: 3 } })).toThrow(/tokens 9 \.\. 11/);
  });
});

test('rows_product', async () => {
  const sizes = { rows, inDim: 68, outDim: 92, residual: true } as const;
  const given = { x: normal(rows * 68, 1), residual: normal(rows * 92, 5) };
  const all = normal(92 * 68, 3, 0.3);
  const { out: whole } = await runKernel(device, rowsProduct(sizes), { ...given, weight: all });
  let made: Record<string, Array1> = {};
  for (const [first, end] of [
    [0, 8],
    [8, 20],
    [20, 92],
  ] as const) {
    const weight = all.slice(first * 68, end * 68);
    const kernel: Kernel = rowsProduct({ ...sizes, columns: { first, count: end - first } });
    made = { ...made, ...(await runKernel(device, kernel, { ...given, ...made, weight })) };
  }
  expect(made.out).toEqual(whole);
});
