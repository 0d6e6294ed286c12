/** The decoder over many rows at once: given tokens in a single pass. Reads the weights of `gptDecoder`. */
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { manyRows } from '../ops/many-rows.ts';
import { forward, type GptInputs, gptInputs, type Passed, positionsOf } from './gpt.ts';
import { type CaptionRows, captionRows, uncondRows } from './gpt-caption.ts';
import type { GptConfig } from './gpt-config.ts';
import type { Precision } from './precision.ts';

/** Rows are sequences * positions; row p of a sequence predicts token p - clsTokenNum + 1. */
export interface GptScorer extends GptInputs, Passed {
  /** Where text is the condition: as many rows as there are condition tokens of all sequences. */
  readonly captions?: CaptionRows | undefined;
  /** Likewise, `places` of what stands for no caption. */
  readonly uncondPlaces?: Tensor | undefined;
}

/**
 * Logits of every position of given token grids, in one pass of many rows (teacher forcing). The
 * same rows as decoding would make one by one.
 */
export function gptScorer(
  g: Graph,
  config: GptConfig,
  sequences: number,
  precision: Precision,
): GptScorer {
  const pass = { rows: sequences * positionsOf(config), slots: sequences };
  const inputs = gptInputs(g, config, pass);
  const captions = inputs.text && captionsOf(g, config, sequences, precision);
  return { ...inputs, ...captions, ...forward(g, config, pass, precision, inputs, manyRows) };
}

const captionsOf = (g: Graph, config: GptConfig, slots: number, precision: Precision) => ({
  captions: captionRows(g, config, { rows: slots * config.clsTokenNum, slots }, precision),
  uncondPlaces: uncondRows(g, config, slots, precision).places,
});
