/** What one decoding step is made of, counted on its graph; touches no GPU. */
import { Graph } from '../../src/graph/graph.ts';
import { byteLength } from '../../src/graph/tensor.ts';
import { gptDecoder, type PassShape } from '../../src/models/gpt.ts';
import type { GptConfig } from '../../src/models/gpt-config.ts';
import type { Precision } from '../../src/models/precision.ts';

/** What this project allows a step: this many dispatches a layer, and this many beside the layers. */
const MOST_PER_LAYER = 5;
const MOST_OTHER = 6;

export interface StepShape {
  readonly layers: number;
  /** With every weight in one piece. */
  readonly dispatchesPerLayer: number;
  /** Dispatches beside the layers, with every weight in one piece. */
  readonly otherDispatches: number;
  /** Dispatches that are there only because weights above the binding limit are cut into parts. */
  readonly partDispatches: number;
  /** Dispatches of a step. */
  readonly dispatches: number;
  /** Bytes of the KV cache. */
  readonly kvBytes: number;
}

/** Takes the layers of a step apart from the rest by counting with one layer and with two. */
export function stepShape(config: GptConfig, pass: PassShape, precision: Precision): StepShape {
  const { maxBindingBytes: _, ...whole } = precision;
  const graphOf = (nLayer: number, how: Precision): Graph => {
    const g = new Graph();
    gptDecoder(g, { ...config, nLayer }, pass, how);
    return g;
  };
  const one = graphOf(1, whole).nodes.length;
  const dispatchesPerLayer = graphOf(2, whole).nodes.length - one;
  const otherDispatches = one - dispatchesPerLayer;
  const { nodes, residents } = graphOf(config.nLayer, precision);
  const kvBytes = residents
    .filter(({ name }) => name.endsWith('.kv'))
    .reduce((sum, t) => sum + byteLength(t), 0);
  return {
    layers: config.nLayer,
    dispatchesPerLayer,
    otherDispatches,
    partDispatches: nodes.length - (config.nLayer * dispatchesPerLayer + otherDispatches),
    dispatches: nodes.length,
    kvBytes,
  };
}

/** What is wrong with a step's dispatches, or undefined. */
export function dispatchProblem(shape: StepShape): string | undefined {
  const { dispatchesPerLayer: layer, otherDispatches: other, dispatches, layers } = shape;
  const whole = dispatches - shape.partDispatches;
  if (layer <= MOST_PER_LAYER && other <= MOST_OTHER && whole === layers * layer + other) {
    return undefined;
  }
  return (
    `a step has ${whole} dispatches for ${layers} layers, ${layer} a layer and ${other} more: ` +
    `expected at most ${MOST_PER_LAYER} a layer and ${MOST_OTHER} more`
  );
}
