/** What the graphs of a model take of a device. */
import type { MemoryUse } from '../gpu/memory.ts';
import { Graph } from '../graph/graph.ts';
import { plan } from '../graph/plan.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import type { PassShape } from '../models/gpt.ts';
import type { ModelJson } from '../models/model-json.ts';
import type { Precision } from '../models/precision.ts';
import { vqOptions } from '../models/vq-options.ts';
import type { ModelGraphs } from './model-graphs.ts';

/** See `estimateMemory`, which is this for whoever has loaded no graphs yet. */
export function memoryOf(
  { gptGraphs, vqDecoder }: ModelGraphs,
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
