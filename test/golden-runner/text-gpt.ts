/** Text-conditional GPT cases: prefill and teacher forcing with padding, forced and greedy decoding. */
import { packRows } from '../../kernels/lib/row-table.ts';
import { firstOf } from '../../src/engine/plan-prefill.ts';
import { Memory } from '../../src/gpu/memory.ts';
import { Graph } from '../../src/graph/graph.ts';
import { checkGpt } from '../../src/load/model.ts';
import type { Network } from '../../src/load/network.ts';
import type { PrecisionOptions } from '../../src/load/precision.ts';
import type { CaptionFeatures } from '../../src/models/caption.ts';
import { noCondition, positionsOf } from '../../src/models/gpt.ts';
import { type GptConfig, parseGptConfig } from '../../src/models/gpt-config.ts';
import { gptScorer } from '../../src/models/gpt-scorer.ts';
import { precisionName } from '../../src/models/precision.ts';
import { ropeTable } from '../../src/models/rope-table.ts';
import { type GoldenCase, modelOf, tensorOf } from './case.ts';
import { type Check, checkFloats, checkIntegers } from './check.ts';
import { checkLogits, decode } from './gpt.ts';
import { runGraph } from './graph.ts';

export async function runTextGpt(
  device: GPUDevice,
  golden: GoldenCase,
  options: PrecisionOptions = {},
): Promise<Check[]> {
  const config = parseGptConfig(golden.config.model_args, golden.name);
  const memory = new Memory(device);
  try {
    const network = await (await checkGpt(device, config, modelOf(golden), options)).load(memory);
    const captions = captionsOf(golden);
    return [
      ...(await singlePass(network, golden, captions)),
      ...(await decoding(network, golden, captions)),
    ];
  } finally {
    memory.freeAll();
  }
}

/** The valid features as the text encoder returns them: `cap.right` has junk behind. */
function captionsOf(golden: GoldenCase): CaptionFeatures[] {
  const { data, shape } = tensorOf(golden, 'cap.right');
  const [, rows = 0, dim = 0] = shape;
  return (golden.config.valid_lengths as readonly number[]).map((tokens, i) => {
    const values = Float32Array.from(data.subarray(i * rows * dim, (i * rows + tokens) * dim));
    return { values, tokens, dim };
  });
}

/** One pass over all positions, padding too: captions with their tokens, then the same without condition. */
async function singlePass(
  network: Network<GptConfig>,
  golden: GoldenCase,
  captions: readonly CaptionFeatures[],
): Promise<Check[]> {
  const { vocabSize, clsTokenNum } = network.config;
  const positions = positionsOf(network.config);
  const logits = await scores(network, golden, captions);
  /** Rows `from` .. `to` - 1 of some sequences. */
  const rows = (sequences: number, from: number, to: number): number[] =>
    Array.from({ length: sequences }, (_, s) => s * positions).flatMap((first) => [
      ...logits.subarray((first + from) * vocabSize, (first + to) * vocabSize),
    ]);
  const parts = {
    'tf.logits': rows(captions.length, 0, positions),
    'tf.tail': rows(captions.length, clsTokenNum - 1, positions),
    'prefill.logits': rows(2 * captions.length, 0, clsTokenNum),
    'prefill.last': rows(2 * captions.length, clsTokenNum - 1, clsTokenNum),
  };
  return Object.entries(parts)
    .filter(([name]) => golden.expected.has(name))
    .map(([name, got]) => checkLogits(network, golden, name, Float32Array.from(got), {}));
}

async function scores(
  { config, precision, memory, weights }: Network<GptConfig>,
  golden: GoldenCase,
  captions: readonly CaptionFeatures[],
): Promise<Float32Array> {
  const { clsTokenNum: condition, captionDim } = config;
  const positions = positionsOf(config);
  const slots = 2 * captions.length;
  const g = new Graph();
  const gpt = gptScorer(g, config, slots, precision);
  if (!gpt.text || !gpt.captions || !gpt.uncondPlaces) throw new Error('a scorer without text');
  // Padding rows are zero, as the official code makes them.
  const features = new Float32Array(slots * condition * captionDim);
  captions.forEach((caption, slot) => {
    features.set(caption.values, (slot * condition + firstOf(config, caption)) * captionDim);
  });
  const none = noCondition(config, slots);
  const ofSlot = (slot: number): CaptionFeatures | undefined => captions[slot % captions.length];
  const table = Array.from({ length: slots * positions }, (_, row) => {
    const slot = Math.floor(row / positions);
    const own = slot < captions.length ? slot * condition : none;
    return { slot, position: row % positions, sequence: slot % captions.length, condition: own };
  });
  const firsts = Array.from({ length: slots }, (_, slot) => {
    const caption = ofSlot(slot);
    return caption ? firstOf(config, caption) : 0;
  });
  const lines = (first: number, count: number): Uint32Array =>
    Uint32Array.from({ length: count }, (_, i) => first + i);
  const results = await runGraph(
    memory,
    weights,
    g,
    [
      [gpt.rowTable, packRows(table)],
      [gpt.tokens, Uint32Array.from(tensorOf(golden, 'tf.tokens').data)],
      [gpt.rope, ropeTable(config)],
      [gpt.text.firsts, Uint32Array.from(firsts)],
      [gpt.captions.features, features],
      [gpt.captions.places, lines(0, slots * condition)],
      [gpt.uncondPlaces, lines(none, condition)],
    ],
    [gpt.logits],
  );
  return results.floats(gpt.logits);
}

/** As generation does it: captions of several lengths side by side. */
async function decoding(
  network: Network<GptConfig>,
  golden: GoldenCase,
  captions: readonly CaptionFeatures[],
): Promise<Check[]> {
  const scale = Number(golden.config.cfg_scale);
  const conditions = captions.map((caption) => ({ caption }));
  const given = tensorOf(golden, 'tf.tokens').data as Int32Array;
  const forced = await decode(network, conditions, { scale, given });
  const guided = await decode(network, conditions, { scale });
  const plain = await decode(network, conditions, { scale: 1 });
  const fast = precisionName(network.precision) === 'fast';
  return [
    checkLogits(network, golden, 'dec.logits', forced.logits, { scale }),
    checkIntegers(golden, 'gen.tokens', guided.tokens),
    checkLogits(network, golden, 'gen.logits', guided.logits, { scale }),
    checkIntegers(golden, 'gen1.tokens', plain.tokens),
    ...(fast
      ? []
      : [
          checkFloats(golden, 'gen.margin', guided.margins),
          checkFloats(golden, 'gen1.margin', plain.margins),
        ]),
  ];
}
