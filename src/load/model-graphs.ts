/** The graphs of a model, whose code pages load when they have a model: in files of its own, before the weights. */
import { gptDecoder } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import type { gptGraphs } from '../models/gpt-graphs.ts';
import type { vqDecoder } from '../models/vq-decoder.ts';

export interface ModelGraphs {
  readonly gptGraphs: typeof gptGraphs;
  readonly vqDecoder: typeof vqDecoder;
}

/** Those of a decoder; captions are only in those of models of texts. */
export async function gptGraphsOf({ modelType }: GptConfig): Promise<typeof gptGraphs> {
  return modelType === 't2i' ? (await import('../models/gpt-graphs.ts')).gptGraphs : gptDecoder;
}

/** Those of both networks. */
export async function modelGraphs(config: GptConfig): Promise<ModelGraphs> {
  const { vqDecoder } = await import('../models/vq-decoder.ts');
  return { gptGraphs: await gptGraphsOf(config), vqDecoder };
}
