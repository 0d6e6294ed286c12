/** What a model takes of a device, known before anything is loaded. */
import type { MemoryUse } from '../gpu/memory.ts';
import { Graph } from '../graph/graph.ts';
import { plan } from '../graph/plan.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import type { PassShape } from '../models/gpt.ts';
import { gptGraphs } from '../models/gpt-graphs.ts';
import type { ModelJson } from '../models/model-json.ts';
import type { Precision } from '../models/precision.ts';
import { vqDecoder } from '../models/vq-decoder.ts';
import { vqOptions } from '../models/vq-options.ts';

/**
 * GPU bytes that passes of a shape and decoding one picture at a time take: weights, KV cache and other
 * state, temps; on GPUs several pictures at once take more (`imagesARun`). What the programs allocate, but for
 * the padding between weights that share a buffer (under 256 bytes each); drivers add their own. Captions are prefilled by programs of their own, whose temps are not counted: of
 * GPT-XL 30 MB where as many rows as there can be stand in a pass.
 */
export function estimateMemory(
  config: ModelJson,
  pass: PassShape,
  precision: Precision,
): MemoryUse {
  const { gridSize } = config.gpt;
  const gpt = new Graph();
  gptGraphs(gpt, config.gpt, pass, precision);
  const vq = new Graph();
  const shape = { images: 1, height: gridSize, width: gridSize };
  const { rgba } = vqDecoder(vq, config.vq, shape, vqOptions(precision));
  const residents = [...gpt.residents, ...vq.residents];
  const sum = (life: Tensor['life']): number =>
    residents.filter((t) => t.life === life).reduce((n, t) => n + byteLength(t), 0);
  const slots = [...plan(gpt.nodes).slots, ...plan(vq.nodes, new Set([rgba])).slots];
  const temp = slots.reduce((a, b) => a + b, 0);
  return { weights: sum('weight'), state: sum('state'), temp, staging: 0 };
}
