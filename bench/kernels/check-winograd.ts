/**
 * Oracles of convolutions by Winograd's F(4x4, 3x3), from its definition: polynomials through the
 * points 0, +-2/3, +-3/2 and infinity. Source: Lavin and Gray 2016 (arXiv:1509.09308).
 */
import { elementCount } from '../../kernels/cost.ts';
import type { Family } from './families.ts';
import { type KernelRun, samples } from './run.ts';

const POINTS = [0, 2 / 3, -2 / 3, 3 / 2, -3 / 2];
const SIDE = POINTS.length + 1;
const OUTPUTS = 4;
const FILTER = 3;
/** Tiles, and channels of each side, that are compared. */
const TILES = 6;
const CHANNELS = 6;

type Matrix = readonly (readonly number[])[];

/** Coefficients of the product of (x - p) over `points`, lowest first, as many as there are inputs. */
function polynomial(points: readonly number[]): number[] {
  let sum = [1];
  for (const p of points) sum = [...sum, 0].map((_, i) => (sum[i - 1] ?? 0) - p * (sum[i] ?? 0));
  return Array.from({ length: SIDE }, (_, i) => sum[i] ?? 0);
}

const others = (p: number): number[] => POINTS.filter((q) => q !== p);

/** B^T, G and A^T: their last row or column stands for infinity. */
const INPUT: Matrix = [...POINTS.map((p) => polynomial(others(p))), polynomial(POINTS)];
const WEIGHT: Matrix = [
  ...POINTS.map((p) => {
    const scale = others(p).reduce((product, q) => product * (p - q), 1);
    return Array.from({ length: FILTER }, (_, k) => p ** k / scale);
  }),
  [0, 0, 1],
];
const OUTPUT: Matrix = Array.from({ length: OUTPUTS }, (_, i) => [
  ...POINTS.map((p) => p ** i),
  i === OUTPUTS - 1 ? 1 : 0,
]);

/** t s t^T of a square s, row by row. */
function transformed(t: Matrix, s: readonly number[], side: number): number[] {
  return t.flatMap((a) =>
    t.map((b) => {
      let sum = 0;
      for (let r = 0; r < side; r++) {
        for (let c = 0; c < side; c++) sum += (a[r] ?? 0) * (s[r * side + c] ?? 0) * (b[c] ?? 0);
      }
      return sum;
    }),
  );
}

/** The first of the tiles of a part: its label says so. */
const firstTile = ({ kernel }: KernelRun): number =>
  Number(/ tiles from (\d+)/.exec(kernel.label)?.[1] ?? 0);

/** Columns of [36, lines, length] at a line and place. */
const column = (v: ArrayLike<number>, lines: number, length: number, line: number, at: number) =>
  Array.from({ length: SIDE * SIDE }, (_, i) => v[(i * lines + line) * length + at] ?? Number.NaN);

async function checkFilter(run: KernelRun): Promise<void> {
  const [outChannels, inChannels] = run.shape('weight');
  const [weight, out] = [await run.values('weight'), await run.values('out')];
  for (const o of samples(outChannels, CHANNELS)) {
    for (const c of samples(inChannels, CHANNELS)) {
      const from = (o * inChannels + c) * FILTER ** 2;
      const filter = Array.from(weight.subarray(from, from + FILTER ** 2));
      const got = column(out, inChannels, outChannels, c, o);
      run.close(`filter [${o}, ${c}]`, got, transformed(WEIGHT, filter, FILTER));
    }
  }
}

async function checkInput(run: KernelRun): Promise<void> {
  const [, channels, height, width] = run.shape('x');
  const [, , count] = run.shape('out');
  const scale = run.kernel.label.includes(' upsample') ? 2 : 1;
  const across = Math.ceil((width * scale) / OUTPUTS);
  const [x, out] = [await run.values('x'), await run.values('out')];
  const pixel = (c: number, y: number, at: number): number =>
    y < 0 || at < 0 || y >= height * scale || at >= width * scale
      ? 0
      : (x[(c * height + Math.floor(y / scale)) * width + Math.floor(at / scale)] ?? Number.NaN);
  for (const tile of samples(count, TILES)) {
    const at = tile + firstTile(run);
    const [top, left] = [Math.floor(at / across) * OUTPUTS - 1, (at % across) * OUTPUTS - 1];
    for (const c of samples(channels, CHANNELS)) {
      const d = Array.from({ length: SIDE * SIDE }, (_, i) =>
        pixel(c, top + Math.floor(i / SIDE), left + (i % SIDE)),
      );
      const got = column(out, channels, count, c, tile);
      run.close(`tile ${at} of channel ${c}`, got, transformed(INPUT, d, SIDE));
    }
  }
}

async function checkProduct(run: KernelRun): Promise<void> {
  const [products, inChannels, outChannels] = run.shape('weight');
  const [, , tiles] = run.shape('x');
  const [weight, x, out] = await Promise.all(['weight', 'x', 'out'].map((n) => run.values(n)));
  if (!weight || !x || !out) throw new RangeError('no operands');
  const [got, expected]: [number[], number[]] = [[], []];
  for (const p of samples(products, CHANNELS)) {
    for (const o of samples(outChannels, CHANNELS)) {
      for (const t of samples(tiles, TILES)) {
        let sum = 0;
        for (let c = 0; c < inChannels; c++) {
          const row = p * inChannels + c;
          sum += (weight[row * outChannels + o] ?? 0) * (x[row * tiles + t] ?? 0);
        }
        expected.push(sum);
        got.push(out[(p * outChannels + o) * tiles + t] ?? Number.NaN);
      }
    }
  }
  run.close('output', got, expected);
}

async function checkOutput(run: KernelRun): Promise<void> {
  const [, channels, height, width] = run.shape('out');
  const [, , count] = run.shape('x');
  const across = Math.ceil(width / OUTPUTS);
  const [x, bias, out] = await Promise.all(['x', 'bias', 'out'].map((n) => run.values(n)));
  const residual = run.has('residual') ? await run.values('residual') : undefined;
  if (!x || !bias || !out) throw new RangeError('no operands');
  for (const tile of samples(count, TILES)) {
    const at = tile + firstTile(run);
    const [top, left] = [Math.floor(at / across) * OUTPUTS, (at % across) * OUTPUTS];
    for (const c of samples(channels, CHANNELS)) {
      const made = transformed(OUTPUT, column(x, channels, count, c, tile), SIDE);
      const [got, expected]: [number[], number[]] = [[], []];
      for (const [i, value] of made.entries()) {
        const [y, left4] = [top + Math.floor(i / OUTPUTS), left + (i % OUTPUTS)];
        if (y >= height || left4 >= width) continue;
        const place = (c * height + y) * width + left4;
        got.push(out[place] ?? Number.NaN);
        expected.push(value + (bias[c] ?? 0) + (residual?.[place] ?? 0));
      }
      run.close(`tile ${at} of channel ${c}`, got, expected);
    }
  }
}

export const winogradFamilies: readonly Family[] = [
  { words: ['winograd_filter'], bindings: 'weight out', check: checkFilter },
  { words: ['winograd_input'], bindings: 'x out', check: checkInput },
  {
    words: ['winograd_product'],
    bindings: 'weight x out',
    work({ bindings }) {
      const inChannels = bindings.weight?.shape[1] ?? 1;
      return { operations: 2 * inChannels * elementCount(bindings.out?.shape ?? []) };
    },
    check: checkProduct,
  },
  { words: ['winograd_output'], bindings: 'x bias residual? out', check: checkOutput },
];
