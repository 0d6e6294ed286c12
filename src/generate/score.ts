/** How likely a model finds given token grids. */
import { OptionError } from '../errors.ts';
import { build, type Program } from '../gpu/program.ts';
import { readBuffer } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import { type GptScorer, gptScorer, positionsOf } from '../models/gpt.ts';
import type { GptConfig } from '../models/gpt-config.ts';
import { ropeTable } from '../models/rope-table.ts';
import type { Network } from './network.ts';

export interface GridToScore {
  /** Class index; numClasses is the unconditional one. */
  readonly label: number;
  /** u32 [gridSize * gridSize]. */
  readonly tokens: ArrayLike<number>;
}

/**
 * Logits at every position of each grid in one pass (teacher forcing, no guidance):
 * f32 [grids, 1 + blockSize, vocabSize]. Row p predicts token p; the last row predicts nothing.
 * @throws OptionError when a label or a token is outside its range.
 */
export async function scoreTokens(
  network: Network<GptConfig>,
  grids: readonly GridToScore[],
): Promise<Float32Array<ArrayBuffer>> {
  const { config: gpt, memory, watch } = network;
  if (grids.length === 0) throw new OptionError('expected at least one grid, got none');
  const positions = positionsOf(gpt);
  const tokens = new Uint32Array(grids.length * gpt.blockSize);
  grids.forEach(({ label, tokens: given }, i) => {
    if (!(label >= 0 && label <= gpt.numClasses)) {
      throw new OptionError(`grid ${i}: label ${label} is not in 0 .. ${gpt.numClasses}`);
    }
    if (
      given.length !== gpt.blockSize ||
      Array.from(given).some((t) => !(t >= 0 && t < gpt.vocabSize))
    ) {
      throw new OptionError(
        `grid ${i}: expected ${gpt.blockSize} tokens in 0 .. ${gpt.vocabSize - 1}`,
      );
    }
    tokens.set(Array.from(given), i * gpt.blockSize);
  });
  const { program, scorer } = await scoreProgram(network, grids.length);
  const { device } = memory;
  const place = Uint32Array.from({ length: grids.length * positions * 2 }, (_, i) => {
    const row = Math.floor(i / 2);
    return i % 2 === 0 ? Math.floor(row / positions) : row % positions;
  });
  device.queue.writeBuffer(program.bufferOf(scorer.place), 0, place);
  device.queue.writeBuffer(
    program.bufferOf(scorer.label),
    0,
    Uint32Array.from(grids, (g) => g.label),
  );
  device.queue.writeBuffer(program.bufferOf(scorer.tokens), 0, tokens);
  program.run();
  const size = grids.length * positions * gpt.vocabSize * 4;
  const buffer = program.bufferOf(scorer.logits);
  return new Float32Array(await watch.race(readBuffer(memory, buffer, size)));
}

function scoreProgram(
  network: Network<GptConfig>,
  sequences: number,
): Promise<{ program: Program; scorer: GptScorer }> {
  const { config, memory, watch, precision, weights } = network;
  return network.cached(`scorer ${sequences}`, async () => {
    const g = new Graph();
    const scorer = gptScorer(g, config, sequences, precision);
    const options = { weights, keep: [scorer.logits] };
    const program = await watch.race(build(memory, g, options));
    memory.device.queue.writeBuffer(program.bufferOf(scorer.rope), 0, ropeTable(config));
    return { program, scorer };
  });
}
