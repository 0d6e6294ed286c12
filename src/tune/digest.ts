/** Digest of kernels: measured tiles say nothing about kernels with other texts. */
import type { Variant } from '../../kernels/kernel.ts';
import { Graph } from '../graph/graph.ts';
import { parseGptConfig } from '../models/gpt-config.ts';
import { VQ_16 } from '../models/vq-config.ts';
import { shortDigest } from '../weights/digest.ts';
import { textOf } from './candidates.ts';
import { type Workload, workloadsOf } from './workloads.ts';

/** A decoder of one layer; its kernels have all that larger ones have. */
const SMALL = {
  gpt: parseGptConfig({
    dim: 64,
    n_layer: 1,
    n_head: 1,
    multiple_of: 64,
    vocab_size: 64,
    num_classes: 1,
    block_size: 4,
  }),
  vq: { ...VQ_16, ch: 32, encoderChMult: [1, 1], decoderChMult: [1, 1], codebookSize: 64 },
};

/** SHA-256 over the texts that a variant's own choices give for some shapes, the first 16 digits. */
export const kernelDigest = (variant: Variant): Promise<string> =>
  digestOf(
    (['f32', 'bf16', 'int8'] as const).flatMap((dtype) =>
      workloadsOf(SMALL, { variant, dtype, kvDtype: 'f32' }, [1, 2]),
    ),
  );

/** The same of any graphs. */
export async function digestOf(graphs: readonly Pick<Workload, 'define'>[]): Promise<string> {
  const texts = graphs.flatMap(({ define }) => {
    const g = new Graph();
    define(g, []);
    return g.nodes.map(textOf);
  });
  return shortDigest(texts.join('\n'));
}
