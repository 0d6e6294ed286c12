/**
 * Captions of the text-conditional decoder: features become condition tokens, and those become keys and
 * values of the cache. Condition tokens have no position of their own (their rotary table is zero), but
 * attend causally from the first that is not padding.
 * Source: LlamaGen autoregressive/models/gpt.py, CaptionEmbedder; autoregressive/models/generate.py.
 */
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../graph/tensor.ts';
import { type CaptionWeights, place, projectCaption } from '../ops/caption.ts';
import { manyRows } from '../ops/many-rows.ts';
import { matrix } from '../ops/weights.ts';
import { conditionLines, type GptInputs, gptInputs, layers, type PassShape } from './gpt.ts';
import { type GptConfig, UNCOND_EMBEDDING } from './gpt-config.ts';
import { type Precision, tableDtypeOf } from './precision.ts';

export interface CaptionRows {
  /** Features of tokens: f32 [rows, captionDim]. */
  readonly features: Tensor;
  /** Where each goes in `conditions`: u32 [rows]; what is past its end goes nowhere. */
  readonly places: Tensor;
}

/** The features of captions to their places in the `conditions` of some slots. */
export function captionRows(
  g: Graph,
  config: GptConfig,
  { rows, slots }: PassShape,
  precision: Precision,
): CaptionRows {
  const features = g.state('features', 'f32', [rows, config.captionDim]);
  const places = g.state('places', 'u32', [rows]);
  project(g, config, slots, precision, features, places);
  return { features, places };
}

/**
 * What stands for no caption, to its place: `places`, u32 [clsTokenNum], has the lines
 * from `noCondition` on.
 * @param stored Rows of it in the file, of which the first are taken; needed where it is loaded.
 */
export function uncondRows(
  g: Graph,
  config: GptConfig,
  slots: number,
  precision: Precision,
  stored: number = config.clsTokenNum,
): { readonly places: Tensor } {
  const { clsTokenNum: rows, captionDim } = config;
  const origin = { name: UNCOND_EMBEDDING, firstRow: 0, rows: stored };
  const label = `${UNCOND_EMBEDDING}[0:${rows}]`;
  const features = g.weight(label, 'f32', [rows, captionDim], origin);
  const places = g.state('uncond places', 'u32', [rows]);
  project(g, config, slots, precision, features, places);
  return { places };
}

/**
 * Keys and values of condition tokens, many rows at a time. The last one of a caption is left to
 * `gptDecoder`, which draws the first token from it.
 */
export function gptPrefill(
  g: Graph,
  config: GptConfig,
  pass: PassShape,
  precision: Precision,
): GptInputs {
  const inputs = gptInputs(g, config, pass);
  layers(g, config, pass, precision, inputs, manyRows, true);
  return inputs;
}

function project(
  g: Graph,
  config: GptConfig,
  slots: number,
  precision: Precision,
  features: Tensor,
  places: Tensor,
): void {
  const { dim, captionDim } = config;
  const [rows = 0] = features.shape;
  const dtype = tableDtypeOf(precision);
  const sizes = { rows, captionDim, dim, dtype };
  const x = projectCaption({ g, ...precision }, sizes, features, weightsOf(g, config, precision));
  place(g, x, places, g.state('conditions', 'f32', [conditionLines(config, slots), dim]));
}

function weightsOf(g: Graph, { dim, captionDim }: GptConfig, precision: Precision): CaptionWeights {
  const dtype = tableDtypeOf(precision);
  const of = (name: string, inDim: number) =>
    matrix(
      g,
      `cls_embedding.cap_proj.${name}.weight`,
      dtype,
      [dim, inDim],
      precision.maxBindingBytes,
    );
  return { fc1: of('fc1', captionDim), fc2: of('fc2', dim) };
}
