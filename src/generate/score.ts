/** How likely a model finds given token grids. */

import { range } from '../../kernels/kernel.ts';
import { packRows, type Row } from '../../kernels/lib/row-table.ts';
import { assertScores } from '../engine/not-finite.ts';
import { OptionError } from '../errors.ts';
import { build } from '../gpu/program.ts';
import { readBuffer } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength } from '../graph/tensor.ts';
import type { Destroyable, Network } from '../load/network.ts';
import { positionsOf } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import { gptScorer } from '../models/gpt-scorer.ts';
import { ropeTable } from '../models/rope-table.ts';
import { checkValue, having, integer, listOf, numbers, show } from '../options.ts';

export interface GridToScore {
  /** Class index; numClasses is the unconditional one. */
  readonly label: number;
  /** u32 [gridSize * gridSize]. */
  readonly tokens: ArrayLike<number>;
}

/**
 * Logits at every position of each grid in one pass (teacher forcing, no guidance):
 * f32 [grids, 1 + blockSize, vocabSize]. Row p predicts token p; the last row predicts nothing.
 * @throws OptionError when a label or a token is outside its range, WeightsError when logits are not finite.
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
  grids.forEach(({ label, tokens: given }, i) => {
    if (integer(0, gpt.numClasses)(label) !== undefined) {
      throw new OptionError(`grid ${i}: label ${show(label)} is not in 0 .. ${gpt.numClasses}`);
    }
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
    const logits = await scorer.score(
      grids.map((grid) => grid.label),
      tokens,
    );
    assertScores(logits, positionsOf(gpt), gpt.vocabSize);
    return logits;
  });
}

interface Scorer extends Destroyable {
  score(labels: readonly number[], tokens: Uint32Array<ArrayBuffer>): Promise<Logits>;
}

type Logits = Float32Array<ArrayBuffer>;

async function scorerOf(network: Network<GptConfig>, sequences: number): Promise<Scorer> {
  const { config, memory, watch, precision, weights } = network;
  const { queue } = memory.device;
  const positions = positionsOf(config);
  const g = new Graph();
  const gpt = gptScorer(g, config, sequences, precision);
  const program = await watch.race(build(memory, g, { weights, keep: [gpt.logits] }));
  const rowsOf = (labels: readonly number[]): Row[] =>
    labels.flatMap((condition, sequence) =>
      range(positions).map((position) => ({ slot: sequence, position, sequence, condition })),
    );
  await memory.checked('writing the RoPE table', () =>
    queue.writeBuffer(program.bufferOf(gpt.rope), 0, ropeTable(config)),
  );
  return {
    async score(labels, tokens) {
      const written = memory.checked('writing the tokens', () => {
        queue.writeBuffer(program.bufferOf(gpt.rowTable), 0, packRows(rowsOf(labels)));
        queue.writeBuffer(program.bufferOf(gpt.tokens), 0, tokens);
      });
      await watch.race(Promise.all([written, program.run()]));
      const buffer = program.bufferOf(gpt.logits);
      return new Float32Array(await watch.race(readBuffer(memory, buffer, byteLength(gpt.logits))));
    },
    destroy: () => program.destroy(),
  };
}
