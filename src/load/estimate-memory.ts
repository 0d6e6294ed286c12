/** What a model takes of a device, known before anything is loaded. */
import type { MemoryUse } from '../gpu/memory.ts';
import type { PassShape } from '../models/gpt.ts';
import { gptGraphs } from '../models/gpt-graphs.ts';
import type { ModelJson } from '../models/model-json.ts';
import type { Precision } from '../models/precision.ts';
import { vqDecoder } from '../models/vq-decoder.ts';
import { memoryOf } from './memory.ts';

/**
 * GPU bytes that passes of a shape and decoding one picture at a time take: weights, KV cache and other
 * state, temps; on GPUs several pictures at once take more (`imagesARun`). What the programs allocate, but
 * for the padding between weights that share a buffer (under 256 bytes each); drivers add their own.
 * Captions are prefilled by programs of their own, whose temps are not counted: of GPT-XL 30 MB where as
 * many rows as there can be stand in a pass.
 */
export function estimateMemory(
  config: ModelJson,
  pass: PassShape,
  precision: Precision,
): MemoryUse {
  return memoryOf({ gptGraphs, vqDecoder }, config, pass, precision);
}
