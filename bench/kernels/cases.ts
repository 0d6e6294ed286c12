/** The kernels of a decoding step and of decoding an image, as their graphs call them. */
import type { Kernel } from '../../kernels/kernel.ts';
import { sampleToken } from '../../kernels/sampler/sample-token.ts';
import type { Sampling } from '../../kernels/sampler/sequence-table.ts';
import { Graph } from '../../src/graph/graph.ts';
import { gptConfig } from '../../src/index.ts';
import type { GptConfig, GptSize } from '../../src/models/gpt-config.ts';
import type { Precision } from '../../src/models/precision.ts';
import { VQ_16 } from '../../src/models/vq-config.ts';
import { vqDecoder } from '../../src/models/vq-decoder.ts';
import { vqOptions } from '../../src/models/vq-options.ts';
import type { Grid } from '../settings.ts';
import { stepGraph } from '../step-program.ts';

export interface KernelCase {
  /** Where it is used, and its label. */
  readonly name: string;
  readonly use: string;
  readonly kernel: Kernel;
  /** How often it is used there; 0 for one way of several. */
  readonly dispatches: number;
  /** Of decoders. */
  readonly config?: GptConfig;
  /** How tokens are drawn. Default: top-k 2000. */
  readonly sampling?: Partial<Sampling>;
}

/** Kernels of one step of a decoder, two rows an image. */
export function stepCases(
  size: GptSize,
  rows: number,
  grid: Grid,
  precision: Precision,
): KernelCase[] {
  const config = gptConfig(size, grid);
  const g = new Graph();
  stepGraph(config, rows / 2, precision)(g);
  return casesOf(g, `${size} ${rows} rows`, config);
}

/** Kernels of decoding one image with VQ-16. */
export function imageCases(grid: Grid, precision: Precision): KernelCase[] {
  const g = new Graph();
  vqDecoder(g, VQ_16, { images: 1, height: grid, width: grid }, vqOptions(precision));
  return casesOf(g, `VQ-16 ${grid}x${grid}`);
}

const SAMPLINGS: Readonly<Record<string, Partial<Sampling>>> = {
  'of all': { topK: 0 },
  'top-k 2000': { topK: 2000 },
  'top-p 0.9': { topK: 0, topP: 0.9 },
  'top-k 2000, top-p 0.9': { topK: 2000, topP: 0.9 },
};

/** The sampler with guidance, two rows a draw, of as many tokens as official models have. */
export const samplerCases = (rows: number, { variant }: Precision): KernelCase[] =>
  Object.entries(SAMPLINGS).map(([how, sampling]) => {
    const sizes = { sequences: rows / 2, rows, vocabSize: 16384, clsTokenNum: 1 };
    const kernel = sampleToken({ ...sizes, variant });
    const label = `${kernel.label}, ${how}`;
    const use = 'sampler';
    return { name: `${use}: ${label}`, use, kernel: { ...kernel, label }, dispatches: 0, sampling };
  });

function casesOf(g: Graph, use: string, config?: GptConfig): KernelCase[] {
  const counts = new Map<string, { kernel: Kernel; dispatches: number }>();
  for (const { kernel } of g.nodes) {
    const key = keyOf(kernel);
    const known = counts.get(key) ?? { kernel, dispatches: 0 };
    known.dispatches++;
    counts.set(key, known);
  }
  return [...counts.values()].map(({ kernel, dispatches }) => ({
    name: `${use}: ${kernel.label}`,
    ...{ use, kernel, dispatches },
    ...(config && { config }),
  }));
}

/**
 * The same label with other texts would be two cases of one name. Parts of a layer that differ in where
 * they begin alone are one: they cost the same.
 */
function keyOf({ name, params, label, code }: Kernel): string {
  const { part, ...others } = params as { readonly part?: { readonly count: number } };
  return part ? JSON.stringify([name, others, part.count]) : label + code;
}
