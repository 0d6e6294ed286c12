/** The decoder over many rows at once: given tokens in a single pass. Reads the weights of `gptDecoder`. */
import type { Graph } from '../graph/graph.ts';
import { manyRows } from '../ops/many-rows.ts';
import { forward, type GptInputs, gptInputs, type Passed, positionsOf } from './gpt.ts';
import type { GptConfig } from './gpt-config.ts';
import type { Precision } from './precision.ts';

/** Rows are sequences * positions; row p of a sequence predicts token p. */
export interface GptScorer extends GptInputs, Passed {}

/**
 * Logits of every position of given token grids, in one pass of many rows (teacher forcing). The
 * same rows as decoding would make one by one; text conditions will be prefilled this way too.
 */
export function gptScorer(
  g: Graph,
  config: GptConfig,
  sequences: number,
  precision: Precision,
): GptScorer {
  const pass = { rows: sequences * positionsOf(config), slots: sequences };
  const inputs = gptInputs(g, config, pass);
  return { ...inputs, ...forward(g, config, pass, precision, inputs, manyRows) };
}
