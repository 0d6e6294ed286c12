/** Token grids to pixels. */
import { OptionError } from '../errors.ts';
import type { Profiler } from '../gpu/profiler.ts';
import { build, type Program } from '../gpu/program.ts';
import { readBuffer } from '../gpu/readback.ts';
import { Graph } from '../graph/graph.ts';
import { byteLength, type Tensor } from '../graph/tensor.ts';
import { vqOptions } from '../models/vq-blocks.ts';
import type { VqConfig } from '../models/vq-config.ts';
import { type VqDecoder, vqDecoder } from '../models/vq-decoder.ts';
import type { Model } from './model.ts';
import type { Network } from './network.ts';

/** A picture: 8-bit RGBA, row by row from the top. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray<ArrayBuffer>;
}

export interface DecodeOptions {
  /** Rows and columns of the token grid; default the grid of the decoder. */
  readonly grid?: readonly [height: number, width: number];
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
  /** Times every dispatch of the last image. */
  readonly profiler?: Profiler;
}

export interface ImageDecoder {
  readonly program: Program;
  readonly vq: VqDecoder;
  /** Decodes one grid of tokens that has been checked; with a profiler, timed by dispatch. */
  decode(tokens: ArrayLike<number>, profiler?: Profiler): Promise<Picture>;
  /** Frees its GPU memory; the weights stay. */
  destroy(): void;
}

/**
 * Decodes token grids to pictures, one at a time, so that memory does not grow with their number.
 * @throws OptionError when a grid has another size or a token is outside the codebook.
 */
export async function decodeTokens(
  model: Model,
  grids: readonly ArrayLike<number>[],
  options: DecodeOptions = {},
): Promise<Picture[]> {
  const { gridSize } = model.config.gpt;
  const { grid = [gridSize, gridSize], signal, onProgress, profiler } = options;
  for (const [i, tokens] of grids.entries()) checkGrid(model, tokens, grid, i);
  return model.vq.exclusive(async () => {
    const compile = (): Promise<ImageDecoder> => keptDecoder(model.vq, grid);
    const decoder = await (profiler?.phase('compile', compile) ?? compile());
    const pictures: Picture[] = [];
    for (const [i, tokens] of grids.entries()) {
      signal?.throwIfAborted();
      const end = profiler?.begin('decode');
      const isLast = i === grids.length - 1;
      pictures.push(await decoder.decode(tokens, isLast ? profiler : undefined));
      end?.();
      onProgress?.(pictures.length, grids.length);
    }
    return pictures;
  });
}

/** The decoder that a tokenizer keeps for a grid. Only inside its `exclusive`. */
export function keptDecoder(
  network: Network<VqConfig>,
  grid: readonly [height: number, width: number],
): Promise<ImageDecoder> {
  return network.kept('image decoder', grid.join('x'), () => imageDecoder(network, grid));
}

/** Builds the VQ decoder of a tokenizer for one grid. It is the caller's: destroy it. */
export async function imageDecoder(
  network: Network<VqConfig>,
  [height, width]: readonly [height: number, width: number],
): Promise<ImageDecoder> {
  const { config, precision, memory, weights, watch } = network;
  const g = new Graph();
  const vq = vqDecoder(g, config, { images: 1, height, width }, vqOptions(precision));
  const program = await watch.race(build(memory, g, { weights, keep: [vq.rgba] }));
  return {
    program,
    vq,
    decode: (tokens, profiler) => runDecoder(network, program, vq, tokens, profiler),
    destroy: () => program.destroy(),
  };
}

async function runDecoder(
  { memory, watch }: Network<VqConfig>,
  program: Program,
  { codes, rgba }: VqDecoder,
  tokens: ArrayLike<number>,
  profiler: Profiler | undefined,
): Promise<Picture> {
  const { device } = memory;
  const written = memory.checked('writing the tokens', () =>
    device.queue.writeBuffer(program.bufferOf(codes), 0, Uint32Array.from(tokens)),
  );
  const ran = profiler ? profiler.run(memory, program, 'image decode') : program.run();
  await watch.race(Promise.all([written, ran]));
  const end = profiler?.begin('readback');
  const bytes = await watch.race(readBuffer(memory, program.bufferOf(rgba), byteLength(rgba)));
  end?.();
  const [height, width] = sides(rgba);
  return { width, height, rgba: new Uint8ClampedArray(bytes) };
}

function sides({ shape }: Tensor): readonly [height: number, width: number] {
  const [, height = 0, width = 0] = shape;
  return [height, width];
}

function checkGrid(
  model: Model,
  tokens: ArrayLike<number>,
  [height, width]: readonly [number, number],
  index: number,
): void {
  const { codebookSize } = model.config.vq;
  if (tokens.length !== height * width) {
    throw new OptionError(
      `image ${index}: expected ${height} x ${width} = ${height * width} tokens, got ${tokens.length}`,
    );
  }
  const bad = Array.from(tokens).findIndex(
    (t) => !Number.isInteger(t) || t < 0 || t >= codebookSize,
  );
  if (bad >= 0) {
    throw new OptionError(
      `image ${index}: token ${bad} is ${tokens[bad]}, and the codebook of ${model.name} has the codes 0 .. ${codebookSize - 1}`,
    );
  }
}
