/** How likely a model finds given token grids. */

import { range } from '../../kernels/kernel.ts';
import { packRows, type Row } from '../../kernels/lib/row-table.ts';
import { assertScores } from '../engine/not-finite.ts';
import { conditionOf, firstOf } from '../engine/plan-prefill.ts';
import { takenBy } from '../engine/request.ts';
import { OptionError } from '../errors.ts';
import { build } from '../gpu/program.ts';
import { readBuffer } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import type { Destroyable, Network } from '../load/network.ts';
import { type CaptionFeatures, checkCaption } from '../models/caption.ts';
import { positionsOf } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import { type GptScorer, gptScorer } from '../models/gpt-scorer.ts';
import { ropeTable } from '../models/rope-table.ts';
import { checkValue, having, integer, listOf, numbers, show } from '../options.ts';

export interface GridToScore {
  /** Class index, where classes are the condition; numClasses is the unconditional one. */
  readonly label?: number | undefined;
  /** Where text is: what its text encoder makes of a prompt. */
  readonly caption?: CaptionFeatures | undefined;
  /** u32 [gridSize * gridSize]. */
  readonly tokens: ArrayLike<number>;
}

/**
 * Logits at every position of each grid in one pass (teacher forcing, no guidance):
 * f32 [grids, 1 + blockSize, vocabSize]. Row p predicts token p; the last row predicts nothing.
 * @throws OptionError when a label or a token is outside its range, or a caption is none of the model's, WeightsError when logits are not finite.
 */
export async function scoreTokens(
  network: Network<GptConfig>,
  grids: readonly GridToScore[],
): Promise<Float32Array<ArrayBuffer>> {
  checkValue(
    'network',
    network,
    having('the decoder of a model, model.gpt,', 'exclusive', 'cached'),
  );
  checkValue('grids', grids, listOf('grids', having('a grid')));
  const { config: gpt } = network;
  if (grids.length === 0) throw new OptionError('expected at least one grid, got none');
  const tokens = new Uint32Array(grids.length * gpt.blockSize);
  grids.forEach(({ tokens: given, ...condition }, i) => {
    checkCondition(gpt, condition, i);
    checkValue(`grid ${i}: tokens`, given, numbers);
    const isToken = integer(0, gpt.vocabSize - 1);
    if (given.length !== gpt.blockSize || Array.from(given).some((t) => isToken(t) !== undefined)) {
      throw new OptionError(
        `grid ${i}: expected ${gpt.blockSize} tokens in 0 .. ${gpt.vocabSize - 1}`,
      );
    }
    tokens.set(Array.from(given), i * gpt.blockSize);
  });
  return network.exclusive(async () => {
    const build = () => scorerOf(network, grids.length);
    const scorer = await network.cached('scorer', String(grids.length), build);
    const logits = imageRows(gpt, await scorer.score(grids, tokens));
    assertScores(logits, 1 + gpt.blockSize, gpt.vocabSize);
    return logits;
  });
}

function checkCondition(
  gpt: GptConfig,
  { label, caption }: Omit<GridToScore, 'tokens'>,
  index: number,
): void {
  const where = `grid ${index}`;
  if (gpt.modelType === 'c2i') {
    if (caption !== undefined) throw new OptionError(`${where}: ${takenBy(gpt)}: give "label"`);
    if (integer(0, gpt.numClasses)(label) === undefined) return;
    throw new OptionError(`${where}: label ${show(label)} is not in 0 .. ${gpt.numClasses}`);
  }
  if (label !== undefined) throw new OptionError(`${where}: ${takenBy(gpt)}: give "caption"`);
  checkCaption(gpt, caption, `${where}: caption`);
}

/** The rows that predict tokens: those of captions before the last predict nothing. */
function imageRows({ clsTokenNum, blockSize, vocabSize }: GptConfig, logits: Logits): Logits {
  if (clsTokenNum === 1) return logits;
  const positions = clsTokenNum + blockSize;
  const rows = (1 + blockSize) * vocabSize;
  const grids = logits.length / (positions * vocabSize);
  const kept = new Float32Array(grids * rows);
  for (let grid = 0; grid < grids; grid++) {
    const first = (grid * positions + clsTokenNum - 1) * vocabSize;
    kept.set(logits.subarray(first, first + rows), grid * rows);
  }
  return kept;
}

interface Scorer extends Destroyable {
  score(
    conditions: readonly Omit<GridToScore, 'tokens'>[],
    tokens: Uint32Array<ArrayBuffer>,
  ): Promise<Logits>;
}

type Logits = Float32Array<ArrayBuffer>;

async function scorerOf(network: Network<GptConfig>, sequences: number): Promise<Scorer> {
  const { config, memory, watch, precision, weights } = network;
  const { queue } = memory.device;
  const positions = positionsOf(config);
  const g = new Graph();
  const gpt = gptScorer(g, config, sequences, precision);
  const program = await watch.race(build(memory, g, { weights, keep: [gpt.logits] }));
  const rowsOf = (conditions: readonly Omit<GridToScore, 'tokens'>[]): Row[] =>
    conditions.flatMap(({ label }, slot) => {
      const condition = label ?? conditionOf(config, slot);
      return range(positions).map((position) => ({ slot, position, sequence: slot, condition }));
    });
  await memory.checked('writing the RoPE table', () =>
    queue.writeBuffer(program.bufferOf(gpt.rope), 0, ropeTable(config)),
  );
  return {
    async score(conditions, tokens) {
      const written = memory.checked('writing the tokens', () => {
        queue.writeBuffer(program.bufferOf(gpt.rowTable), 0, packRows(rowsOf(conditions)));
        queue.writeBuffer(program.bufferOf(gpt.tokens), 0, tokens);
        for (const [tensor, data] of captionsOf(config, gpt, conditions)) {
          queue.writeBuffer(program.bufferOf(tensor), 0, data);
        }
      });
      await watch.race(Promise.all([written, program.run()]));
      const buffer = program.bufferOf(gpt.logits);
      return new Float32Array(await watch.race(readBuffer(memory, buffer, byteLength(gpt.logits))));
    },
    destroy: () => program.destroy(),
  };
}

/** What the graph is given of captions: features behind zeros, as many rows as there are condition tokens. */
function captionsOf(
  config: GptConfig,
  { text, captions }: GptScorer,
  conditions: readonly Omit<GridToScore, 'tokens'>[],
): (readonly [Tensor, Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>])[] {
  if (!text || !captions) return [];
  const { clsTokenNum, captionDim } = config;
  const features = new Float32Array(conditions.length * clsTokenNum * captionDim);
  const firsts = new Uint32Array(conditions.length);
  for (const [slot, { caption }] of conditions.entries()) {
    if (!caption) continue;
    const first = firstOf(config, caption);
    firsts[slot] = first;
    features.set(caption.values, (conditionOf(config, slot) + first) * captionDim);
  }
  const places = Uint32Array.from({ length: conditions.length * clsTokenNum }, (_, i) => i);
  return [
    [text.firsts, firsts],
    [captions.features, features],
    [captions.places, places],
  ];
}
