/** `products`: tiles of the product of many rows, at the shapes of a text-conditional decoder. */
import type { Kernel, Variant } from '../../kernels/kernel.ts';
import { linear } from '../../kernels/product/linear.ts';
import { MAP_TILE, type MapTile } from '../../kernels/product/map-tile.ts';
import { matmul } from '../../kernels/product/matmul.ts';
import { build } from '../../src/gpu/program.ts';
import { Filler } from '../../src/gpu/random.ts';
import { sample } from '../../src/gpu/sample.ts';
import { Graph } from '../../src/graph/graph.ts';
import { byteLength } from '../../src/graph/tensor.ts';
import { weightSpread } from '../random-network.ts';
import type { BenchDevice, Session } from '../session.ts';
import { columns, formatNumber, type Table } from '../table.ts';

export interface ProductsResult {
  /** Names of the ways, in order. */
  readonly ways: readonly string[];
  readonly cases: readonly ProductCase[];
}

export interface ProductCase {
  readonly name: string;
  /** GFLOP/s by way; undefined where the device does not take it. */
  readonly gigaflops: readonly (number | undefined)[];
}

interface Sizes {
  readonly rows: number;
  readonly inDim: number;
  readonly outDim: number;
}

/** [outDim, inDim] of wqkv, wo, w1 and w2 of GPT-XL; software adapters take one of a small decoder. */
const SHAPES = [
  [3840, 1280],
  [1280, 1280],
  [3584, 1280],
  [1280, 3584],
] as const;
const SMALL = [[320, 320]] as const;

const TILES: readonly MapTile[] = [
  MAP_TILE,
  { ...MAP_TILE, slice: 32 },
  { ...MAP_TILE, tileN: 128, eachN: 8 },
  { ...MAP_TILE, tileM: 128, eachM: 8 },
  { ...MAP_TILE, tileM: 128, tileN: 128, eachM: 8, eachN: 8 },
  { ...MAP_TILE, eachM: 8 },
  { ...MAP_TILE, tileM: 32 },
];

type Way = (
  sizes: Sizes,
  settings: { readonly variant: Variant; readonly dtype: 'f32' | 'f16' },
) => Kernel;

/** The tiled product by its tiles, and products of few rows, which make many in turns. */
const WAYS: Readonly<Record<string, Way>> = {
  ...Object.fromEntries(
    TILES.map((tile): [string, Way] => [
      nameOf(tile),
      (sizes, how) => matmul({ ...sizes, ...how, tile }),
    ]),
  ),
  'few rows': (sizes, how) => linear({ ...sizes, ...how }),
  'few rows, matrices': (sizes, how) => linear({ ...sizes, ...how, tile: { math: 'matrix' } }),
};

function nameOf({ tileM, tileN, eachM, eachN, slice }: MapTile): string {
  return `${tileM}x${tileN} by ${eachM}x${eachN}, ${slice} deep`;
}

export async function measureProducts(session: Session): Promise<ProductsResult> {
  const isSmall = session.software || session.settings.quick;
  const cases = await session.use(async (d) => {
    const found: ProductCase[] = [];
    for (const rows of isSmall ? [128] : [32, 128, 512, 2048]) {
      for (const [outDim, inDim] of isSmall ? SMALL : SHAPES) {
        const sizes = { rows, inDim, outDim };
        const gigaflops: (number | undefined)[] = [];
        for (const way of Object.values(WAYS))
          gigaflops.push(await measure(session, d, sizes, way));
        found.push({ name: `${rows} rows x [${outDim},${inDim}]`, gigaflops });
      }
    }
    return found;
  });
  return { ways: Object.keys(WAYS), cases };
}

async function measure(
  session: Session,
  { device, memory, clock }: BenchDevice,
  sizes: Sizes,
  way: Way,
): Promise<number | undefined> {
  const precision = session.precision(device);
  const dtype = precision.dtype === 'f16' ? 'f16' : 'f32';
  // Without barriers there are no tiles: a software adapter shows that they run.
  const reduce = precision.variant.reduce === 'serial' ? 'workgroup' : precision.variant.reduce;
  let kernel: Kernel;
  try {
    kernel = way(sizes, { variant: { ...precision.variant, reduce }, dtype });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  const g = new Graph();
  const x = g.state('x', 'f32', [sizes.rows, sizes.inDim]);
  const weight = g.weight('weight', dtype, [sizes.outDim, sizes.inDim]);
  const { out }: Readonly<Record<string, typeof x>> = g.call(kernel, { x, weight });
  if (!out) throw new RangeError(`${kernel.label}: makes no "out"`);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = memory.create('weights', 'weight', byteLength(weight), usage);
  const filler = new Filler(memory);
  filler.fill({ buffer }, dtype, weightSpread('weight', weight), 1);
  const weights = new Map([['weight', { buffer, size: byteLength(weight) }]]);
  const program = await build(memory, g, { weights, keep: [out] });
  filler.fill({ buffer: program.bufferOf(x) }, 'f32', { centre: 0, spread: 1 }, 2);
  filler.destroy();
  const { leastUs, warmUs, runs } = session.effort;
  const { us } = await sample(clock, { runs, leastUs, warmUs }, (pass) => program.encode(pass));
  program.destroy();
  memory.free([buffer]);
  return (2 * sizes.rows * sizes.inDim * sizes.outDim) / us / 1e3;
}

export const productsTables = ({ ways, cases }: ProductsResult): Table[] => [
  columns(
    'products of many rows, GFLOP/s',
    cases,
    Object.fromEntries(
      ways.map((way, i) => [
        way,
        ({ gigaflops }: ProductCase) => {
          const value = gigaflops[i];
          return value === undefined ? '-' : formatNumber(value);
        },
      ]),
    ),
  ),
];
