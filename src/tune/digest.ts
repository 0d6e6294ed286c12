/** Digest of kernels: measured tiles say nothing about kernels with other texts. */
import type { Variant } from '../../kernels/kernel.ts';
import { Graph } from '../graph/graph.ts';
import { parseGptConfig } from '../models/gpt-config.ts';
import { VQ_16 } from '../models/vq-config.ts';
import { VERSION } from '../version.ts';
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

/**
 * What was measured with: this version, because it may choose otherwise for shapes that are not among
 * those below, and SHA-256 over the texts that a variant's own choices give for some, 16 digits.
 */
export async function kernelDigest(variant: Variant): Promise<string> {
  const digest = await digestOf(
    (['f32', 'bf16', 'int8'] as const).flatMap((dtype) =>
      workloadsOf(SMALL, { variant, dtype, kvDtype: 'f32' }, [1, 2]),
    ),
  );
  return `${VERSION} ${digest}`;
}

/** The same of any graphs. */
export async function digestOf(graphs: readonly Pick<Workload, 'define'>[]): Promise<string> {
  const texts = graphs.flatMap(({ define }) => {
    const g = new Graph();
    define(g, []);
    return g.nodes.map(textOf);
  });
  return shortDigest(texts.join('\n'));
}
