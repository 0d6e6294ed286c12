/** What this machine can do at most; floors and shares of all suites are computed from it. */

import type { MatrixDType } from '../../kernels/kernel.ts';
import { adapterFacts, chooseWeightDtype } from '../../src/gpu/variants.ts';
import { gptConfig, variantOf } from '../../src/index.ts';
import type { GPT_SIZES } from '../../src/models/gpt-config.ts';
import type { BenchDevice } from '../session.ts';
import type { Settings } from '../settings.ts';
import { type Bandwidth, measureBandwidth } from './bandwidth.ts';
import { type Latency, measureLatency } from './latency.ts';
import { measureProducts, type ProductRate } from './products.ts';
import { measureStreams, type StreamRate } from './stream.ts';
import type { StreamShape } from './stream-kernels.ts';

export interface Limits {
  /** How time was taken. */
  readonly clock: 'timestamps' | 'host clock';
  readonly bandwidth: Bandwidth;
  readonly products: ProductRate;
  readonly streams: readonly StreamRate[];
  readonly latency: Latency;
  /** The best rate of any product, of two matrices or of few rows: what floors are computed from. */
  readonly bestGflops: number;
}

/** How long passes are, how large buffers are: software adapters are about 1000 times slower. */
export interface Effort {
  readonly runs: number;
  /** Length of a timed pass. */
  readonly leastUs: number;
  /** Bytes of weights read in turn: more than any cache holds. */
  readonly coldBytes: number;
}

export function effortOf(software: boolean, { runs, quick }: Settings): Effort {
  return {
    runs,
    leastUs: software ? (quick ? 5_000 : 20_000) : 4_000,
    coldBytes: software ? 64e6 : 512e6,
  };
}

/** Storage of random weights: as f16 files are loaded, unless asked for otherwise. */
export const dtypeOf = (device: GPUDevice, { weights }: Settings): MatrixDType =>
  weights ?? chooseWeightDtype(adapterFacts(device), 'f16');

export async function measureLimits(
  d: BenchDevice,
  software: boolean,
  settings: Settings,
): Promise<Limits> {
  const effort = effortOf(software, settings);
  const { runs, leastUs } = effort;
  const { maxBufferSize, maxStorageBufferBindingSize } = d.device.limits;
  const most = Math.min(maxBufferSize, maxStorageBufferBindingSize, software ? 2 ** 28 : 2 ** 30);
  const bytes = 2 ** Math.floor(Math.log2(most));
  const latency = await measureLatency(d, runs);
  const bandwidth = await measureBandwidth(d, bytes, runs, leastUs);
  const products = await measureProducts(d, {
    ...{ runs, leastUs, software },
    variant: variantOf(d.device),
    side: software ? (settings.quick ? 256 : 512) : 4096,
  });
  const shapes = streamShapes(dtypeOf(d.device, settings), settings.quick);
  const streams = await measureStreams(d, shapes, { ...effort, software });
  const skinny = streams.map(
    ({ rows, outDim, inDim, us }) => (2 * rows * outDim * inDim) / us / 1000,
  );
  const bestGflops = Math.max(products.bestGflops, ...skinny);
  return { clock: d.clock.method, bandwidth, products, streams, latency, bestGflops };
}

/** Matrices of the decoders, small to large, for the rows of one class and of eight. */
function streamShapes(dtype: MatrixDType, quick: boolean): StreamShape[] {
  const sizes = (quick ? ['GPT-B'] : ['GPT-B', 'GPT-XL', 'GPT-3B']) as (keyof typeof GPT_SIZES)[];
  return [2, 16].flatMap((rows) =>
    sizes.flatMap((size) => {
      const { dim, hiddenDim } = gptConfig(size, 16);
      const wide = { rows, outDim: hiddenDim, inDim: dim, dtype };
      const deep = { rows, outDim: dim, inDim: hiddenDim, dtype };
      return size === 'GPT-B' ? [wide, deep] : [wide];
    }),
  );
}

/**
 * The rate measured for the traffic of a product, or for the nearest to it by size.
 * @returns Undefined when nothing with this storage was measured.
 */
export function streamFor(
  { streams }: Pick<Limits, 'streams'>,
  { rows, outDim, inDim, dtype }: StreamShape,
): StreamRate | undefined {
  const far = (s: StreamRate): number =>
    Math.abs(Math.log((s.outDim * s.inDim) / (outDim * inDim))) +
    0.5 * Math.abs(Math.log(s.inDim / inDim));
  return streams
    .filter((s) => s.dtype === dtype && s.rows === rows)
    .sort((a, b) => far(a) - far(b))[0];
}
