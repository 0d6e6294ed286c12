/** All that a decoder computes, in one graph: it names every weight, and says what memory they share. */
import type { Graph } from '../graph/graph.ts';
import { gptDecoder, type PassShape } from './gpt.ts';
import { captionRows, gptPrefill, uncondRows } from './gpt-caption.ts';
import type { GptConfig } from './gpt-config.ts';
import type { Precision } from './precision.ts';

/**
 * The graphs of a decoder: of its passes, and where text is the condition, of captions.
 * @param uncondTokens Rows of what stands for no caption, as the file has them.
 */
export function gptGraphs(
  g: Graph,
  config: GptConfig,
  pass: PassShape,
  precision: Precision,
  uncondTokens?: number,
): void {
  gptDecoder(g, config, pass, precision);
  if (config.modelType === 'c2i') return;
  const { slots } = pass;
  uncondRows(g, config, slots, precision, uncondTokens);
  captionRows(g, config, pass, precision);
  gptPrefill(g, config, pass, precision);
}
